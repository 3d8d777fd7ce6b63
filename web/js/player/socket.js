// @ts-check
/**
 * One WebSocket that comes back by itself, and the binary messages of `millet.stream.v1`: a fixed
 * big-endian header, then CMAF bytes.
 */

/** @typedef {import("./protocol.js").ClientMessage} ClientMessage */

const SUBPROTOCOL = "millet.stream.v1";
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** A connection that neither opens nor speaks for this long is dead: radio links lose the farewell. */
const SILENCE_MS = 12_000;
const LONGEST_SILENCE_MS = 96_000;

export const HEADER_BYTES = 24;
/** Largest message taken; a chunk of two seconds at 4 Mbit/s is 1 MB. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/** Flags. */
const KEYFRAME = 1;
const FIRST_OF_SEGMENT = 2;
const GAP = 8;
const LAST_OF_TIMELINE = 16;
const AUDIO = 32;

/**
 * @param {ArrayBuffer} message
 * @returns {import("./types.js").Frame}
 * @throws {RangeError} when it is no frame of this protocol
 */
export function parseFrame(message) {
  const length = message.byteLength;
  if (length <= HEADER_BYTES || length > MAX_FRAME_BYTES) {
    throw new RangeError(`frame of ${length} bytes`);
  }
  const view = new DataView(message);
  const kind = view.getUint8(0);
  if (kind !== 1 && kind !== 2) throw new RangeError(`frame of kind ${kind}`);
  const flags = view.getUint16(2);
  const startMs = view.getUint32(16);
  return {
    kind: kind === 1 ? "init" : "chunk",
    lane: flags & AUDIO ? "audio" : "video",
    rendition: view.getUint8(1),
    keyframe: (flags & KEYFRAME) !== 0,
    first: (flags & FIRST_OF_SEGMENT) !== 0,
    gap: (flags & GAP) !== 0,
    last: (flags & LAST_OF_TIMELINE) !== 0,
    epoch: view.getUint32(4),
    sequence: view.getUint32(8),
    part: view.getUint16(12),
    startMs,
    endMs: startMs + view.getUint32(20),
    payload: new Uint8Array(message, HEADER_BYTES),
  };
}

/**
 * Wait before the next attempt: doubled each time, and scattered so that a village that comes back
 * together does not knock together.
 * @param {number} attempt 0 for the first
 * @param {number} random 0 up to 1
 */
export function backOffMs(attempt, random) {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return Math.max(FIRST_DELAY_MS, ceiling * (0.5 + random / 2));
}

export class Link {
  /** @param {string} url @param {import("./types.js").LinkUser} user */
  constructor(url, user) {
    this.url = url;
    this.user = user;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.attempt = 0;
    this.timer = 0;
    this.watch = 0;
    this.heardAt = 0;
    this.silenceMs = SILENCE_MS;
    this.wanted = false;
    this.online = () => this.retryNow();
    this.offline = () => this.drop();
  }

  start() {
    if (this.wanted) return;
    this.wanted = true;
    addEventListener("online", this.online);
    addEventListener("offline", this.offline);
    this.watch = setInterval(() => this.listen(), 1000);
    this.connect();
  }

  stop() {
    this.wanted = false;
    removeEventListener("online", this.online);
    removeEventListener("offline", this.offline);
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.socket?.close(1000);
    this.socket = null;
  }

  connect() {
    clearTimeout(this.timer);
    this.user.state("connecting");
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heardAt = performance.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.heardAt = performance.now();
      this.send(this.user.hello());
    };
    socket.onmessage = (event) => this.heard(socket, event.data);
    socket.onclose = () => this.lost(socket);
  }

  /** @param {WebSocket} socket @param {string | ArrayBuffer} data */
  heard(socket, data) {
    if (socket !== this.socket) return;
    this.heardAt = performance.now();
    try {
      if (typeof data !== "string") {
        this.silenceMs = SILENCE_MS;
        this.user.frame(parseFrame(data), data.byteLength);
        return;
      }
      /** @type {import("./protocol.js").ServerMessage | import("../live/room.js").RoomMessage} */
      const message = JSON.parse(data);
      if (message.type === "welcome") {
        this.attempt = 0;
        this.user.state("open");
      }
      this.user.control(message);
    } catch (error) {
      // What cannot be read must not be played: begin anew from what is stored.
      console.error(error);
      this.drop();
    }
  }

  /** @param {WebSocket} socket */
  lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    if (!this.wanted) return;
    this.user.state("lost");
    this.timer = setTimeout(() => this.connect(), backOffMs(this.attempt, Math.random()));
    this.attempt += 1;
  }

  /** Gives the connection up without waiting for the other side's farewell. */
  drop() {
    const socket = this.socket;
    if (!socket) return;
    socket.close();
    this.lost(socket);
  }

  /** The device is back, or the page is looked at again: no reason to wait longer. */
  retryNow() {
    this.attempt = 0;
    if (this.wanted && !this.socket) this.connect();
  }

  listen() {
    if (!this.socket || performance.now() - this.heardAt < this.silenceMs) return;
    if (this.socket.readyState !== WebSocket.CONNECTING && !this.user.expecting()) return;
    // Perhaps one message takes longer than that on this link: next time it gets twice the time.
    this.silenceMs = Math.min(LONGEST_SILENCE_MS, this.silenceMs * 2);
    this.drop();
  }

  /** @param {ClientMessage} message @returns {boolean} whether it was handed to the browser */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }
}
