// @ts-check
/**
 * A recorded class: slides, board, chat and announcements in step with its sound. Sound comes first:
 * nothing is fetched before something plays and some of it is stored. The page's side is in REPLAY.md.
 */

import { element, keyed, place, show, typed, write } from "../live/dom.js";
import { clean, paintPage } from "../live/paint.js";
import { shownPage, slidePath } from "../live/state.js";
import { clock } from "../player/controls.js";
import { aheadMs, nowMs } from "./chapters.js";
import { Story } from "./story.js";
// Named here so that the browser asks for all of them at once: each level of imports is a round trip.
import "../live/lines.js";
import "../live/pages.js";

/** @typedef {import("../live/types.js").RoomState} RoomState */

/** So much is stored before words and slides share the link with the sound. */
const ENOUGH_MS = 2000;
/** The next piece is fetched this long before it is needed, when the link rests. */
const EARLY_MS = 30_000;
const REST_MS = 8000;
/** After a fault the link gets this time. */
const AGAIN_MS = 5000;

class Replay {
  /** @param {HTMLElement} root @param {HTMLVideoElement} video */
  constructor(root, video) {
    this.root = root;
    this.video = video;
    this.story = new Story((root.dataset.starts ?? "0").split(" ").map(Number));
    this.image = /** @type {HTMLImageElement | null} */ (root.querySelector("img[data-slide]"));
    this.canvas = /** @type {HTMLCanvasElement | null} */ (root.querySelector("canvas[data-board]"));
    this.chat = place(document, "chat");
    this.fetching = false;
    this.restUntil = 0;
    /** @type {RoomState | null} */
    this.drawn = null;
    this.slide = "";
    this.sharp = "";
  }

  mount() {
    show(place(this.root, "stage"), this.root.dataset.board === "yes");
    for (const name of ["timeupdate", "playing", "seeking", "seeked", "progress", "loadeddata"])
      this.video.addEventListener(name, () => this.tick());
    if (this.canvas && "ResizeObserver" in globalThis)
      new ResizeObserver(() => this.drawn && this.paint(this.drawn)).observe(this.canvas);
  }

  tick() {
    const { video } = this;
    if (video.readyState === 0 && video.currentTime === 0) return;
    const now = nowMs();
    const state = this.story.at(now);
    if (state) this.draw(state);
    // A jump to what is not known yet: nothing is better than what was shown elsewhere.
    else this.clear();
    void this.fetch(now);
  }

  /** @param {number} now */
  async fetch(now) {
    const number = this.missing(now);
    if (number === null || this.fetching || performance.now() < this.restUntil) return;
    this.fetching = true;
    try {
      const answer = await fetch(`${this.root.dataset.replay}${number}`);
      if (!answer.ok) throw new Error(answer.statusText);
      this.story.add(number, await answer.json());
    } catch {
      this.restUntil = performance.now() + AGAIN_MS;
    }
    this.fetching = false;
    this.tick();
  }

  /** The piece that is to be fetched now, or null. @param {number} now */
  missing(now) {
    const { story, video } = this;
    const ahead = video.ended ? Infinity : aheadMs();
    const number = story.numberAt(now);
    if (!story.pieces.has(number)) return ahead >= ENOUGH_MS ? number : null;
    const next = story.starts[number + 1];
    const due = next !== undefined && next - now < EARLY_MS && !story.pieces.has(number + 1);
    return due && ahead >= REST_MS ? number + 1 : null;
  }

  clear() {
    this.drawn = null;
    this.slide = "";
    show(this.image, false);
    show(place(this.root, "announcement"), false);
    const paint = this.canvas?.getContext("2d");
    if (this.canvas && paint) clean(this.canvas, paint);
  }

  /** @param {RoomState} state */
  draw(state) {
    const before = this.drawn;
    this.drawn = state;
    const path = slidePath(state);
    this.show(path);
    if (!before || lines(before) !== lines(state)) this.paint(state);
    const said = place(this.root, "announcement");
    show(said, state.announcement !== "");
    write(said, state.announcement);
    show(place(this.root, "empty"), path === null && lines(state).length === 0);
    if (before?.chat !== state.chat) this.list(state);
  }

  /** Small first; sharp once so much is stored that it delays nothing. @param {string | null} path */
  show(path) {
    const { image } = this;
    if (!image) return;
    show(image, path !== null);
    if (path === null) return;
    if (this.slide !== path) {
      this.slide = path;
      image.src = `${path}?small`;
    }
    if (this.sharp === path || sparing() || (aheadMs() < REST_MS && !this.video.ended)) return;
    this.sharp = path;
    const large = new Image();
    large.onload = () => {
      if (this.slide === path) image.src = path;
    };
    large.src = path;
  }

  /** @param {RoomState} state */
  paint(state) {
    const paint = this.canvas?.getContext("2d");
    if (!this.canvas || !paint) return;
    const [w, h] = clean(this.canvas, paint);
    paintPage(paint, lines(state), w, h);
  }

  /** @param {RoomState} state */
  list(state) {
    const { chat } = this;
    if (!chat) return;
    for (const each of document.querySelectorAll("[data-plain]")) each.remove();
    keyed(chat, state.chat, (line) => String(line.sequence), row);
    chat.scrollTop = chat.scrollHeight;
    show(place(document, "chat-empty"), state.chat.length === 0);
  }
}

/** Whoever asked to spare data, or set a limit, reads the small picture. */
function sparing() {
  const limit = /** @type {HTMLSelectElement | null} */ (document.querySelector("[data-do=budget]"));
  return Number(limit?.value ?? 0) > 0 || Reflect.get(navigator, "connection")?.saveData === true;
}

/** @param {RoomState} state */
function lines(state) {
  return state.pages[shownPage(state)]?.lines ?? NONE;
}

/** @type {import("../live/types.js").Line[]} */
const NONE = [];

/** @param {import("../live/room.js").ChatLine} line */
function row(line) {
  const made = element("p");
  const at = element("a", "at", clock(line.at_ms));
  at.href = `?t=${Math.floor(line.at_ms / 1000)}`;
  at.dataset.at = String(line.at_ms);
  made.append(at, " ", typed("who", line.name), " ", typed("said", line.text));
  return made;
}

const root = document.querySelector("[data-replay]");
const video = document.querySelector("[data-player] video");
if (root instanceof HTMLElement && video instanceof HTMLVideoElement) new Replay(root, video).mount();
