// @ts-check
/**
 * What this person does in the room, until the server has answered. Each act has an id of its own, so
 * sending it again after a cut changes nothing; what is of no use when late is given up.
 */

import { makeUuid } from "../player/evidence.js";

/** @typedef {import("./types.js").WaitingAct} WaitingAct */
/** @typedef {import("./room.js").Act} Act */

/** More than this waiting is no longer a person who types. */
const MOST = 200;
const FLEETING_MS = 3000;
const AGAIN_MS = 2000;
/** Without an answer for so long, the message or its answer got lost in the server. */
const UNANSWERED_MS = 10_000;
/** @type {readonly string[]} */
const FLEETING = ["point", "react", "look_at_board"];

export class ActBox {
  /**
   * @param {(request: import("./room.js").Request) => boolean} send whether a connection took it
   * @param {() => number} clock
   */
  constructor(send, clock) {
    this.send = send;
    this.clock = clock;
    /** @type {Map<string, WaitingAct>} in the order they were done */
    this.waiting = new Map();
  }

  /** @param {Act} act @returns {string | null} id; null when too much waits */
  do(act) {
    if (this.waiting.size >= MOST) return null;
    const request = { id: makeUuid(), act };
    const waiting = { request, dueAt: Infinity, madeAt: this.clock(), fleeting: FLEETING.includes(act.type) };
    this.waiting.set(request.id, waiting);
    this.sendOne(waiting);
    return request.id;
  }

  /** A new connection knows nothing of what was under way. */
  resend() {
    this.giveUp();
    for (const each of this.waiting.values()) this.sendOne(each);
  }

  /** What was to be asked again, and what was never answered. */
  tick() {
    this.giveUp();
    const now = this.clock();
    for (const each of this.waiting.values()) {
      if (now >= each.dueAt) this.sendOne(each);
    }
  }

  /** @param {WaitingAct} each */
  sendOne(each) {
    // Without a connection it waits for the next one.
    each.dueAt = this.send(each.request) ? this.clock() + UNANSWERED_MS : Infinity;
  }

  giveUp() {
    const now = this.clock();
    for (const [id, { fleeting, madeAt }] of this.waiting) {
      if (fleeting && now - madeAt > FLEETING_MS) this.waiting.delete(id);
    }
  }

  /**
   * The server's answer.
   * @param {string} id
   * @param {import("./room.js").Refusal | null} refusal
   * @returns {Act | null} what is settled by it
   */
  settle(id, refusal) {
    const waiting = this.waiting.get(id);
    if (!waiting) return null;
    if ((refusal === "try_again" || refusal === "too_fast") && !waiting.fleeting) {
      waiting.dueAt = this.clock() + AGAIN_MS;
      return null;
    }
    this.waiting.delete(id);
    return waiting.request.act;
  }

  /**
   * Acts of a kind that wait, oldest first.
   * @template {Act["type"]} T
   * @param {T} type
   * @returns {Extract<Act, { type: T }>[]}
   */
  pending(type) {
    const acts = [...this.waiting.values()].map((each) => each.request.act);
    return /** @type {Extract<Act, { type: T }>[]} */ (acts.filter((act) => act.type === type));
  }
}
