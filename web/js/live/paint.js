// @ts-check
/** Paints the lines of a page of the board. */

import { FAR, decode } from "./lines.js";

/** @typedef {import("./lines.js").Point} Point */
/** @typedef {import("./types.js").Line} Line */

/** Readable on paper; the names stand in the page. */
const PALETTE = [
  "#1d2420",
  "#b3261e",
  "#1f6f50",
  "#1d4f9e",
  "#b85c00",
  "#6a3d9a",
  "#7a4a21",
  "#f2c230",
];
/**
 * Decoding a piece again for each picture would warm a phone.
 * @type {WeakMap<Line, { count: number, lines: Point[][] }>}
 */
const decoded = new WeakMap();

/**
 * An empty canvas with a dot for each of the screen's.
 * @param {HTMLCanvasElement} canvas @param {CanvasRenderingContext2D} paint @returns {[number, number]} its size
 */
export function clean(canvas, paint) {
  const { clientWidth, clientHeight } = canvas;
  const scale = Math.min(2, devicePixelRatio || 1);
  const [w, h] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  paint.clearRect(0, 0, w, h);
  return [w, h];
}

/** @param {CanvasRenderingContext2D} paint @param {readonly Line[]} lines @param {number} w @param {number} h */
export function paintPage(paint, lines, w, h) {
  for (const line of lines) {
    for (const points of linesOf(line)) paintLine(paint, points, line.colour, line.width, w, h);
  }
}

/** @param {Line} line */
function linesOf(line) {
  const known = decoded.get(line);
  if (known?.count === line.pieces.length) return known.lines;
  const lines = line.joined
    ? line.pieces.flatMap(decode)
    : [line.pieces.flatMap((piece) => decode(piece).flat())];
  decoded.set(line, { count: line.pieces.length, lines });
  return lines;
}

/**
 * @param {CanvasRenderingContext2D} paint @param {readonly Point[]} points
 * @param {number} colour @param {number} width thousandths of the page @param {number} w @param {number} h
 */
export function paintLine(paint, points, colour, width, w, h) {
  const [first, ...more] = points.map(([x, y]) => /** @type {Point} */ ([(x / FAR) * w, (y / FAR) * h]));
  if (!first) return;
  const ink = PALETTE[colour] ?? "#1d2420";
  const thick = Math.max(1, (width / 1000) * w);
  paint.beginPath();
  if (more.length === 0) {
    paint.fillStyle = ink;
    paint.arc(first[0], first[1], thick / 2, 0, 2 * Math.PI);
    paint.fill();
    return;
  }
  paint.strokeStyle = ink;
  paint.lineWidth = thick;
  paint.lineCap = "round";
  paint.lineJoin = "round";
  paint.moveTo(first[0], first[1]);
  // Through the middles: corners of a simplified line look drawn again.
  for (const [index, [x, y]] of more.entries()) {
    const next = more[index + 1];
    if (next) paint.quadraticCurveTo(x, y, (x + next[0]) / 2, (y + next[1]) / 2);
    else paint.lineTo(x, y);
  }
  paint.stroke();
}
