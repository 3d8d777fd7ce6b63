// @ts-check
/**
 * What was shown, drawn and written in a class at any moment of its recording, out of pieces that each
 * begin with the room as it was. Pure: made by the same rules as in the class itself.
 */

import { fromSnapshot, reduce } from "../live/state.js";
import { pageFrom } from "../live/pages.js";

/** @typedef {import("../live/types.js").RoomState} RoomState */
/** @typedef {import("./record.js").RecordedPiece} RecordedPiece */

export class Story {
  /** @param {number[]} starts when each piece begins */
  constructor(starts) {
    this.starts = starts;
    /** @type {Map<number, RecordedPiece>} */
    this.pieces = new Map();
    /** The moment that was asked for last: the next one is mostly a little later. */
    this.last = { number: -1, seen: 0, state: /** @type {RoomState | null} */ (null) };
  }

  /** The piece in which a moment lies. @param {number} atMs */
  numberAt(atMs) {
    return Math.max(0, this.starts.filter((start) => start <= atMs).length - 1);
  }

  /** @param {number} number @param {RecordedPiece} piece */
  add(number, piece) {
    this.pieces.set(number, piece);
  }

  /** The room at a moment, or null where its piece is not there yet. @param {number} atMs */
  at(atMs) {
    const number = this.numberAt(atMs);
    const piece = this.pieces.get(number);
    if (!piece) return null;
    const { events } = piece;
    let until = 0;
    while (until < events.length && (events[until]?.at_ms ?? 0) <= atMs) until += 1;
    let { seen, state } = this.last;
    if (this.last.number !== number || seen > until || !state) {
      seen = 0;
      state = beginning(piece.room);
    }
    for (const event of events.slice(seen, until)) state = reduce(state, { type: "event", event });
    this.last = { number, seen: until, state };
    return state;
  }
}

/** @param {import("./record.js").RecordedRoom} room @returns {RoomState} */
function beginning({ pages, ...room }) {
  const state = fromSnapshot({
    ...room,
    me: "",
    waiting: false,
    waits: [],
    chat_open: true,
    locked: false,
    strokes: [],
    polls: [],
    timer_until_ms: null,
    groups: [],
    host_present: true,
    ended: false,
  });
  return { ...state, pages: Object.fromEntries(pages.map((each) => [each.page, known(each)])) };
}

/** @param {import("./record.js").RecordedPage} recorded @returns {import("../live/types.js").BoardPage} */
function known({ strokes, alone }) {
  const page = pageFrom(strokes);
  return { ...page, lines: page.lines.map((line) => ({ ...line, joined: !alone.includes(line.id) })) };
}
