// @ts-check
/** Lines as a hand makes them: simplified, and written as `lines.js` reads them. Pure. */

import { bound } from "./lines.js";

/** @typedef {import("./lines.js").Point} Point */

/** Points of one message. */
export const MOST_POINTS = 512;
/** Longest step that a signed byte holds both ways. */
const STEP = 127;
/** A point this near to the straight line between its neighbours says nothing: a fifth of a thin line. */
const TOLERANCE = 3;

/**
 * @param {readonly Point[]} points at least one
 * @returns {string[]} pieces of at most `MOST_POINTS`; each continues where the one before ended
 */
export function encode(points) {
  const steps = fine(points.map(([x, y]) => [bound(x), bound(y)]));
  const pieces = [];
  for (let from = 0; from === 0 || from < steps.length - 1; from += MOST_POINTS - 1) {
    pieces.push(piece(steps.slice(from, from + MOST_POINTS)));
  }
  return pieces;
}

/** @param {Point[]} points @returns {string} */
function piece(points) {
  const [first] = points;
  if (!first) return "";
  const bytes = [first[0] >> 8, first[0] & 255, first[1] >> 8, first[1] & 255];
  let [x, y] = first;
  for (const point of points.slice(1)) {
    bytes.push((point[0] - x) & 255, (point[1] - y) & 255);
    [x, y] = point;
  }
  return btoa(String.fromCharCode(...bytes));
}

/** Steps between that are too long are walked in several. @param {Point[]} points @returns {Point[]} */
function fine(points) {
  /** @type {Point[]} */
  const steps = [];
  for (const point of points) {
    const last = steps[steps.length - 1];
    if (!last) {
      steps.push(point);
      continue;
    }
    const [fromX, fromY] = last;
    const [dx, dy] = [point[0] - fromX, point[1] - fromY];
    const count = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)) / STEP);
    for (let step = 1; step <= count; step += 1) {
      steps.push([fromX + Math.round((dx * step) / count), fromY + Math.round((dy * step) / count)]);
    }
  }
  return steps;
}

/**
 * Leaves out what nobody sees (Ramer, Douglas and Peucker); both ends stay.
 * @param {readonly Point[]} points
 * @param {number} [tolerance]
 * @returns {Point[]}
 */
export function simplify(points, tolerance = TOLERANCE) {
  const keep = new Set([0, points.length - 1]);
  // A list of its own instead of recursion: a long line must not exhaust the stack.
  const spans = [[0, points.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [from = 0, until = 0] = span;
    let farthest = -1;
    let most = tolerance;
    for (let index = from + 1; index < until; index += 1) {
      const off = distance(points[index], points[from], points[until]);
      if (off > most) [most, farthest] = [off, index];
    }
    if (farthest < 0) continue;
    keep.add(farthest);
    spans.push([from, farthest], [farthest, until]);
  }
  return points.filter((_, index) => keep.has(index)).map(([x, y]) => [bound(x), bound(y)]);
}

/** From a point to a stretch. @param {Point} [p] @param {Point} [a] @param {Point} [b] */
function distance(p = [0, 0], a = [0, 0], b = [0, 0]) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length;
  const t = Math.max(0, Math.min(1, along));
  return Math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
}

/** How often a line that is being drawn is sent. */
export const SEND_EVERY_MS = 100;

/** A line while it is drawn: gives what is to be sent, at most every 100 ms. */
export class Pen {
  /** @param {string} id @param {(points: string) => void} send */
  constructor(id, send) {
    this.id = id;
    this.send = send;
    /** @type {Point[]} */
    this.points = [];
    /** Everything so far, for the own screen. @type {Point[]} */
    this.all = [];
    this.sentAt = -Infinity;
  }

  /** @param {Point} point @param {number} nowMs */
  move(point, nowMs) {
    const last = this.all[this.all.length - 1];
    const at = /** @type {Point} */ ([bound(point[0]), bound(point[1])]);
    if (last && last[0] === at[0] && last[1] === at[1]) return;
    this.points.push(at);
    this.all.push(at);
    if (nowMs - this.sentAt >= SEND_EVERY_MS && this.points.length > 1) this.flush(nowMs);
  }

  /** @param {number} nowMs */
  flush(nowMs) {
    const [first, ...more] = this.points;
    if (!first || (more.length === 0 && this.sentAt > -Infinity)) return;
    this.sentAt = nowMs;
    for (const each of encode(simplify(this.points))) this.send(each);
    // A continuation begins where this ended.
    this.points = this.points.slice(-1);
  }
}
