// @ts-check
/** The player's buttons, words and keys, and what it says when. Every word comes from the page. */

/** @typedef {import("./types.js").Facts} Facts */

const STEP_MS = 10_000;
/** Keyboard steps on the seek bar come in a row: the link is asked once. */
const SEEK_SETTLE_MS = 250;

export class Controls {
  /**
   * @param {HTMLElement} section
   * @param {HTMLVideoElement} video
   * @param {import("./types.js").Actions} actions
   */
  constructor(section, video, actions) {
    this.section = section;
    this.video = video;
    this.actions = actions;
    this.number = new Intl.NumberFormat(document.documentElement.lang || undefined, {
      maximumFractionDigits: 1,
    });
    /** @type {Map<string, string>} */
    this.words = new Map();
    for (const each of fragment(section, "data-player-text").querySelectorAll("[data-key]")) {
      this.words.set(each.getAttribute("data-key") ?? "", (each.textContent ?? "").trim());
    }
    this.durationMs = 0;
    /** @type {number | null} */
    this.previewMs = null;
    this.seekTimer = 0;
  }

  /** Replaces the browser's controls by the page's. */
  mount() {
    this.section.append(fragment(this.section, "data-player-controls").cloneNode(true));
    this.video.controls = false;
    // Whoever has just touched the picture expects the keys to work.
    this.video.tabIndex = -1;
    const { video } = this;
    this.on("toggle", "click", () => this.actions.toggle());
    this.on("back", "click", () => this.step(-STEP_MS));
    this.on("forward", "click", () => this.step(STEP_MS));
    this.on("mute", "click", () => this.mute());
    this.on("full", "click", () => this.full());
    this.on("speed", "change", (input) => {
      video.defaultPlaybackRate = Number(input.value);
      video.playbackRate = Number(input.value);
    });
    this.on("rung", "change", (input) => this.actions.pin(input.value));
    this.on("budget", "change", (input) => this.actions.budget(Number(input.value)));
    this.on("seek", "input", (input) => this.preview(Number(input.value) * 1000));
    this.on("seek", "change", (input) => this.settle(Number(input.value) * 1000));
    video.addEventListener("click", () => this.actions.toggle());
    video.addEventListener("volumechange", () => this.sound());
    this.section.addEventListener("keydown", (event) => this.key(event));
    this.sound();
  }

  /**
   * @param {string} name
   * @param {string} event
   * @param {(input: HTMLInputElement) => void} act
   */
  on(name, event, act) {
    const element = this.control(name);
    element?.addEventListener(event, () => act(/** @type {HTMLInputElement} */ (element)));
  }

  /** @param {string} name */
  control(name) {
    return this.section.querySelector(`[data-do="${name}"]`);
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   */
  say(key, values = {}) {
    return (this.words.get(key) ?? "").replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name] ?? "";
      return typeof value === "number" ? this.number.format(value) : value;
    });
  }

  /**
   * Writes only what changed, so that a screen reader hears a status once.
   * @param {string} place @param {string} text
   */
  show(place, text) {
    const element = this.section.querySelector(`[data-show="${place}"]`);
    if (element && element.textContent !== text) element.textContent = text;
  }

  /** @param {string} key empty for nothing to say @param {Record<string, string | number>} values */
  status(key, values) {
    if (key === this.section.dataset.status) return;
    this.mark("status", key);
    this.show("status", key && this.say(key, values));
  }

  /** @param {string} name @param {string} state the name that is shown now */
  face(name, state) {
    for (const each of this.control(name)?.querySelectorAll("[data-when]") ?? []) {
      each.toggleAttribute("hidden", each.getAttribute("data-when") !== state);
    }
  }

  /** @param {string} state @param {boolean} playing what the learner asked for */
  state(state, playing) {
    this.mark("state", state);
    this.face("toggle", playing ? "playing" : "paused");
  }

  /** @param {number} seconds stored @param {number} bytes used @param {number} permille watched, -1 for unknown */
  facts(seconds, bytes, permille) {
    this.mark("bytes", String(bytes));
    this.show("ahead", this.say("ahead", { seconds }));
    this.show("used", this.say("used", { mb: megabytes(bytes) }));
    if (permille < 0) return;
    const watched = this.say("watched", { percent: Math.floor(permille / 10) });
    this.show("watched", watched);
    // What the page said when it was opened.
    const before = document.querySelector("[data-watched]");
    if (before && before.textContent !== watched) before.textContent = watched;
  }

  /** @param {string} name @param {string} value */
  mark(name, value) {
    if (this.section.dataset[name] !== value) this.section.dataset[name] = value;
  }

  /** @param {boolean} more the rest of the lesson is being prepared */
  preparing(more) {
    this.section.querySelector("[data-show=preparing]")?.toggleAttribute("hidden", !more);
  }

  /** The page may have something to offer once the lesson is complete. */
  offerNext() {
    this.section.querySelector("[data-show=next]")?.removeAttribute("hidden");
  }

  /** @param {number} bytes the limit of an earlier visit @returns {number} the limit that is shown */
  budget(bytes) {
    const select = /** @type {HTMLSelectElement | null} */ (this.control("budget"));
    for (const option of select?.options ?? []) option.selected ||= option.value === String(bytes);
    return Number(select?.value ?? 0);
  }

  /** @param {number} atMs @param {number} durationMs */
  time(atMs, durationMs) {
    this.durationMs = durationMs;
    if (this.previewMs === null) this.place(atMs);
  }

  /** @param {number} atMs */
  place(atMs) {
    const bar = /** @type {HTMLInputElement | null} */ (this.control("seek"));
    const text = this.say("time", { at: clock(atMs), total: clock(this.durationMs) });
    this.show("time", text);
    if (!bar) return;
    const max = String(Math.ceil(this.durationMs / 1000));
    const value = String(Math.round(atMs / 1000));
    if (bar.max !== max) bar.max = max;
    if (bar.value !== value || this.previewMs !== null) bar.value = value;
    if (bar.getAttribute("aria-valuetext") !== text) bar.setAttribute("aria-valuetext", text);
  }

  /** @param {number} atMs */
  preview(atMs) {
    this.previewMs = atMs;
    this.place(atMs);
  }

  /** @param {number} atMs */
  settle(atMs) {
    this.preview(atMs);
    clearTimeout(this.seekTimer);
    this.seekTimer = setTimeout(() => {
      this.previewMs = null;
      this.actions.seek(atMs);
    }, SEEK_SETTLE_MS);
  }

  /** @param {number} byMs */
  step(byMs) {
    const from = this.previewMs ?? this.video.currentTime * 1000;
    this.settle(Math.max(0, Math.min(this.durationMs, from + byMs)));
  }

  mute() {
    this.video.muted = !this.video.muted;
  }

  sound() {
    this.face("mute", this.video.muted ? "muted" : "loud");
  }

  full() {
    if (document.fullscreenElement) {
      void document.exitFullscreen();
    } else if (this.section.requestFullscreen) {
      this.section.requestFullscreen().catch(() => undefined);
    } else {
      // iPhone: only the video itself can fill the screen.
      Reflect.get(this.video, "webkitEnterFullscreen")?.call(this.video);
    }
  }

  /**
   * Keys work while something inside the player has the focus; fields and buttons keep their own.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const name = event.target instanceof Element ? event.target.localName : "";
    if (name === "select" || (name === "input" && event.key.startsWith("Arrow"))) return;
    if (event.key === " " && name !== "section" && name !== "video" && name !== "input") return;
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => this.actions.toggle(),
      k: () => this.actions.toggle(),
      m: () => this.mute(),
      f: () => this.full(),
      ArrowLeft: () => this.step(-STEP_MS),
      ArrowRight: () => this.step(STEP_MS),
    };
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /**
   * Fills the chooser: every rung with what it costs from here to the end.
   * @param {{ id: string, name: string, bytes: number }[]} rungs
   * @param {string} current
   */
  rungs(rungs, current) {
    const name = rungs.find((each) => each.id === current)?.name;
    this.mark("rung", current);
    this.show("rung", name ? this.say("rung-now", { rung: name }) : "");
    const select = /** @type {HTMLSelectElement | null} */ (this.control("rung"));
    if (!select) return;
    for (const rung of rungs) {
      const text = this.say("rung-cost", { rung: rung.name, mb: megabytes(rung.bytes) });
      const known = [...select.options].find((option) => option.value === rung.id);
      const option = known ?? select.appendChild(new Option("", rung.id));
      if (option.textContent !== text) option.textContent = text;
    }
  }
}

/** @param {number} bytes in steps a person can use */
export function megabytes(bytes) {
  return Math.max(bytes > 0 ? 0.1 : 0, Math.round(bytes / 100_000) / 10);
}

/** @param {number} ms as h:mm:ss or m:ss */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

/** @param {HTMLElement} section @param {string} mark */
function fragment(section, mark) {
  const template = section.querySelector(`template[${mark}]`);
  return template instanceof HTMLTemplateElement
    ? template.content
    : document.createDocumentFragment();
}

/** Shorter cuts and stalls are not worth a word. */
const PATIENCE_MS = 1200;

/** @param {Facts} now @returns {"connecting" | "playing" | "waiting" | "paused" | "cut" | "ended" | "problem"} */
export function stateOf(now) {
  if (now.problem) return "problem";
  if (now.ended) return "ended";
  if (!now.wanted) return "paused";
  if (now.lostMs > 0) return "cut";
  if (!now.known) return "connecting";
  return now.stalledMs > 0 ? "waiting" : "playing";
}

/** @param {Facts} now @returns {string} key of the words, empty for nothing worth saying */
export function statusOf(now) {
  if (now.problem) return "problem";
  if (now.ended) return now.completed || "ended";
  if (!now.started) return "";
  if (now.lostMs > PATIENCE_MS) return now.storedMs > 1000 ? "lost" : "lost-empty";
  if (now.budgetReached) return "budget-reached";
  if (!now.known) return "connecting";
  if (now.stalledMs > PATIENCE_MS) return now.atEdge ? "at-edge" : "waiting";
  return now.notice || now.completed;
}
