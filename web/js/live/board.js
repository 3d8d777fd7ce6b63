// @ts-check
/** The board: lines over the slide, the pointer, and the pen of whoever may draw. */

import { makeUuid } from "../player/evidence.js";
import { button, onClick, place, show } from "./dom.js";
import { FAR } from "./lines.js";
import { clean, paintLine, paintPage } from "./paint.js";
import { draws, leads, myself, shownPage } from "./state.js";
import { Pen } from "./strokes.js";

/** @typedef {import("./lines.js").Point} Point */

/** The pointer moves at most this often. */
const POINT_EVERY_MS = 120;
const POINTER_STEP = 60;

/** @param {import("./types.js").Context} context */
export function mountBoard({ root, room }) {
  const canvas = /** @type {HTMLCanvasElement | null} */ (root.querySelector("canvas[data-board]"));
  const paint = canvas?.getContext("2d");
  if (!canvas || !paint) return;
  const tools = place(root, "pen");
  let colour = 0;
  let width = 4;
  let pointing = false;
  /** @type {Pen | null} */
  let pen = null;
  /**
   * Lines of the own hand that no event has confirmed yet.
   * @type {Map<string, { page: number, colour: number, width: number, points: Point[] }>}
   */
  const own = new Map();
  let asked = 0;
  let pointedAt = 0;
  let pointer = { x: FAR / 2, y: FAR / 2 };

  const draw = () => {
    asked = 0;
    const [w, h] = clean(canvas, paint);
    const { state } = room;
    if (!state) return;
    const page = shownPage(state);
    paintPage(paint, state.pages[page]?.lines ?? [], w, h);
    for (const each of own.values()) {
      if (each.page === page) paintLine(paint, each.points, each.colour, each.width, w, h);
    }
    if (state.pointer) dot(paint, state.pointer, w, h);
  };
  const redraw = () => {
    asked ||= requestAnimationFrame(draw);
  };
  if ("ResizeObserver" in globalThis) new ResizeObserver(redraw).observe(canvas);

  room.onChange((state, before) => {
    const may = draws(state);
    canvas.toggleAttribute("data-pen", may);
    show(tools, may);
    show(button(root, "wipe"), leads(myself(state)));
    show(button(root, "pointer"), leads(myself(state)));
    forget(own, state, pen, room);
    const page = shownPage(state);
    const lines = state.pages[page]?.lines;
    const same =
      before &&
      before.pages[page]?.lines === lines &&
      before.pointer === state.pointer &&
      shownPage(before) === page;
    if (!same || own.size > 0) redraw();
  });

  /** @param {{ clientX: number, clientY: number }} event @returns {Point} */
  const at = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) / box.width) * FAR, ((clientY - box.top) / box.height) * FAR];
  };

  canvas.addEventListener("pointerdown", (event) => {
    const { state } = room;
    if (!state || !draws(state) || event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    if (pointing) return point(at(event));
    const page = shownPage(state);
    const id = makeUuid();
    const [ink, thick] = [colour, width];
    const send = (/** @type {string} */ points) =>
      room.do({ type: "draw", stroke: { id, page, colour: ink, width: thick, points } });
    pen = new Pen(id, send);
    own.set(id, { page, colour: ink, width: thick, points: pen.all });
    pen.move(at(event), performance.now());
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (pointing && (event.buttons > 0 || event.pointerType === "mouse")) return point(at(event));
    if (!pen) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length > 0 ? all : [event]) pen.move(at(each), performance.now());
    redraw();
  });
  const lift = () => {
    pen?.flush(performance.now());
    pen = null;
    redraw();
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("keydown", (event) => {
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    if (!pointing || (dx === 0 && dy === 0)) return;
    event.preventDefault();
    point([pointer.x + dx * POINTER_STEP, pointer.y + dy * POINTER_STEP]);
  });

  /** @param {Point} to */
  function point([x, y]) {
    pointer = { x: within(x), y: within(y) };
    const now = performance.now();
    if (now - pointedAt < POINT_EVERY_MS) return;
    pointedAt = now;
    room.do({ type: "point", ...pointer });
  }

  onClick(root, "pointer", (event) => {
    pointing = !pointing;
    const pressed = /** @type {HTMLElement} */ (event.currentTarget);
    pressed.setAttribute("aria-pressed", String(pointing));
    if (pointing) canvas.focus();
    else room.do({ type: "point", x: null, y: null });
  });
  onClick(root, "undo", () => {
    if (room.state) room.do({ type: "undo", page: shownPage(room.state), stroke: null });
  });
  onClick(root, "wipe", (event) => {
    const { currentTarget } = event;
    if (!(currentTarget instanceof HTMLElement) || !confirm(currentTarget.dataset.confirm ?? "")) return;
    if (room.state) room.do({ type: "wipe", page: shownPage(room.state) });
  });
  tools?.addEventListener("change", (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.name === "ink") colour = Number(input.value);
    if (input.name === "width") width = Number(input.value);
  });
}

/** @type {Record<string, Point>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {number} value */
function within(value) {
  return Math.max(0, Math.min(FAR, Math.round(value)));
}

/**
 * The own line is drawn twice until its last piece has come back; then the room's own is enough.
 * @param {Map<string, unknown>} own
 * @param {import("./types.js").RoomState} state
 * @param {Pen | null} pen
 * @param {import("./classroom.js").Classroom} room
 */
function forget(own, state, pen, room) {
  if (own.size === 0) return;
  const waiting = new Set(room.box.pending("draw").map((act) => act.stroke.id));
  for (const id of own.keys()) {
    if (id !== pen?.id && !waiting.has(id)) own.delete(id);
  }
}

/**
 * @param {CanvasRenderingContext2D} paint
 * @param {{ x: number, y: number }} at
 * @param {number} w
 * @param {number} h
 */
function dot(paint, at, w, h) {
  paint.beginPath();
  paint.arc((at.x / FAR) * w, (at.y / FAR) * h, w / 70, 0, 2 * Math.PI);
  paint.fillStyle = "#d22b1fb0";
  paint.fill();
  paint.lineWidth = w / 300;
  paint.strokeStyle = "#fff";
  paint.stroke();
}
