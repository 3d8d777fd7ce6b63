// @ts-check
/** The room of the class that this page is about: its state, what this person does, who listens. */

import { ActBox } from "./outbox.js";
import { acted, missingPage, reduce } from "./state.js";

/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./room.js").RoomMessage} RoomMessage */
/** @typedef {import("./room.js").Act} Act */

/** The same page is not asked for again before this time. */
const ASK_AGAIN_MS = 4000;

export class Classroom {
  /**
   * @param {(request: import("./room.js").Request) => boolean} send
   * @param {(act: Act, reason: import("./room.js").Refusal) => void} refused
   */
  constructor(send, refused) {
    /** @type {RoomState | null} */
    this.state = null;
    this.box = new ActBox(send, () => performance.now());
    this.refused = refused;
    /** @type {((state: RoomState, before: RoomState | null) => void)[]} */
    this.listeners = [];
    this.asked = { page: -1, atMs: -Infinity };
    this.timer = setInterval(() => this.box.tick(), 1000);
  }

  /** @param {(state: RoomState, before: RoomState | null) => void} listener called at each change */
  onChange(listener) {
    this.listeners.push(listener);
    if (this.state) listener(this.state, null);
  }

  /** @param {RoomMessage} message */
  said(message) {
    const before = this.state;
    if (message.type === "acted") {
      const act = this.box.settle(message.id, null);
      if (act && before) this.state = acted(before, act);
      this.changed(before);
    } else if (message.type === "act_refused") {
      const act = this.box.settle(message.id, message.reason);
      if (act) this.refused(act, message.reason);
      this.changed(before);
    } else {
      this.state = reduce(before, message);
      if (this.state !== before) this.changed(before);
    }
  }

  /** @param {RoomState | null} before */
  changed(before) {
    const { state } = this;
    if (!state) return;
    this.askForBoard(state);
    for (const listener of this.listeners) listener(state, before);
  }

  /** @param {RoomState} state */
  askForBoard(state) {
    const page = missingPage(state);
    const now = performance.now();
    if (page === null) return;
    if (page === this.asked.page && now - this.asked.atMs < ASK_AGAIN_MS) return;
    this.asked = { page, atMs: now };
    this.box.do({ type: "look_at_board", page });
  }

  /** @param {Act} act @returns {boolean} whether it will be sent */
  do(act) {
    const taken = this.box.do(act) !== null;
    if (!taken) this.refused(act, "too_fast");
    // What waits is shown as waiting.
    this.changed(this.state);
    return taken;
  }

  /** A leader looks at a small group. @param {number | null} group null for everybody's board */
  look(group) {
    const before = this.state;
    if (!before) return;
    this.state = { ...before, looking: group };
    this.changed(before);
  }

  /** A connection stands. */
  welcomed() {
    this.asked = { page: -1, atMs: -Infinity };
    this.box.resend();
  }

  eventsAfter() {
    return this.state?.sequence ?? null;
  }
}
