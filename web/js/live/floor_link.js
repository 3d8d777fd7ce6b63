// @ts-check
/** The socket of a speaker (`millet.floor.v1`). */

const SUBPROTOCOL = "millet.floor.v1";
/** Of a WebSocket frame and what lies below it, around each packet. */
const AROUND_BYTES = 46;

/**
 * @typedef {object} LinkUser
 * @property {(code: string) => void} problem the server ends it
 * @property {() => void} lost the connection broke before all was said
 * @property {() => void} kept the note is whole
 */

export class SpeakerLink {
  /** @param {string} url @param {"live" | "note"} kind @param {LinkUser} user */
  constructor(url, kind, user) {
    this.user = user;
    this.welcomed = false;
    this.ended = false;
    /** Nothing follows what waits. */
    this.last = false;
    /** @type {Uint8Array<ArrayBuffer>[]} until the server says welcome */
    this.waiting = [];
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", kind }));
    socket.onmessage = (event) => this.heard(event.data);
    socket.onclose = () => {
      // Live speech that is over needs no answer.
      const done = this.ended || (kind === "live" && this.last);
      this.ended = true;
      if (!done) user.lost();
    };
  }

  /** @param {unknown} data */
  heard(data) {
    if (typeof data !== "string" || this.ended) return;
    const message = JSON.parse(data);
    if (message.type === "welcome") {
      this.welcomed = true;
      for (const packet of this.waiting.splice(0)) this.socket.send(packet);
      if (this.last) this.sayOver();
    } else if (message.type === "kept") {
      this.ended = true;
      this.user.kept();
    } else if (message.type === "problem") {
      this.ended = true;
      this.user.problem(message.code);
    }
  }

  /** @param {Uint8Array<ArrayBuffer>} data */
  packet(data) {
    if (this.welcomed) this.socket.send(data);
    else this.waiting.push(data);
  }

  over() {
    this.last = true;
    if (this.welcomed) this.sayOver();
  }

  sayOver() {
    this.socket.send(JSON.stringify({ type: "over" }));
  }

  /** Speech that has not left yet. @param {number} bitrate @returns {number} milliseconds */
  waitingMs(bitrate) {
    const bytes = this.waiting.reduce((sum, each) => sum + each.length + AROUND_BYTES, 0);
    return ((bytes + this.socket.bufferedAmount) * 8000) / bitrate;
  }

  /** Gives up; what is in the browser's hands may still arrive. @returns what never left this page */
  abandon() {
    const left = this.waiting.splice(0);
    this.ended = true;
    if (this.welcomed && this.socket.readyState === WebSocket.OPEN) this.sayOver();
    this.socket.close();
    return left;
  }
}
