// @ts-check
/**
 * What the publisher sends when the uplink is slow. Sound always goes. Pictures are first left out
 * before they are encoded, which breaks nothing; only when that is not enough are encoded ones
 * thrown away, up to the next keyframe. Pure.
 */

/** Picture rates to choose from; the frames a second go along, for a picture needs its bits. */
export const STEPS = [
  { kbit: 80, fps: 5 },
  { kbit: 150, fps: 8 },
  { kbit: 250, fps: 12 },
  { kbit: 400, fps: 15 },
  { kbit: 600, fps: 20 },
  { kbit: 900, fps: 20 },
];
/** Share of a measured uplink that pictures may take: sound, acknowledgements and the room need theirs. */
const SHARE = 0.6;
/** Step without a measurement. */
const USUAL_STEP = 3;

/** The grid of the timeline: a keyframe in each field of it. */
export const GRID_MS = 2000;
/** Waiting on this device longer than this: leave pictures out. */
const HOLD_MS = 500;
const RELEASE_MS = 250;
/** Longer than this: throw encoded pictures away too. */
const DROP_MS = 1500;
/** An acknowledgement is this old when all is well. */
const USUAL_AGE_MS = 1500;
/** Encoded frames on their way: more means that the processor is too slow. */
const MOST_ENCODING = 3;
const FALL_EVERY_MS = 3000;
const RISE_AFTER_MS = 10_000;
const RISE_AFTER_FALL_MS = 25_000;

/** @param {number} kbit measured uplink, 0 for unknown */
export function firstStep(kbit) {
  if (kbit <= 0) return USUAL_STEP;
  const fits = STEPS.filter((step) => step.kbit <= kbit * SHARE);
  return Math.max(0, fits.length - 1);
}

/**
 * @typedef {object} Uplink
 * @property {number} nowMs a monotonic clock
 * @property {number} queuedBytes handed to the browser and not yet to the network
 * @property {number} ageMs how long ago the oldest message was sent that is not acknowledged
 */

export class Flow {
  /** @param {number} step index of `STEPS` */
  constructor(step) {
    this.step = step;
    this.holding = false;
    /** Something was thrown away: only a keyframe helps. */
    this.broken = true;
    this.keyWanted = false;
    this.lastField = -1;
    this.lastFrameMs = -Infinity;
    this.calmSince = -Infinity;
    this.changedAt = -Infinity;
    this.fell = false;
  }

  now() {
    return STEPS[this.step] ?? { kbit: 80, fps: 5 };
  }

  /** A decoder elsewhere begins anew, or asks for help. */
  wantKey() {
    this.keyWanted = true;
  }

  /** How long what waits will take. @param {Uplink} uplink */
  pressure({ queuedBytes, ageMs }) {
    const queuedMs = (queuedBytes * 8) / (this.now().kbit + 24);
    return Math.max(queuedMs, ageMs - USUAL_AGE_MS);
  }

  /**
   * Before a picture is encoded.
   * @param {Uplink} uplink
   * @param {number} timelineMs
   * @param {number} encoding pictures inside the encoder
   * @returns {"key" | "delta" | "skip"}
   */
  admit(uplink, timelineMs, encoding) {
    const { nowMs } = uplink;
    const pressure = this.pressure(uplink);
    this.holding = this.holding ? pressure > RELEASE_MS : pressure > HOLD_MS;
    this.adapt(nowMs, pressure);
    if (this.holding || encoding > MOST_ENCODING) return "skip";
    if (nowMs - this.lastFrameMs < 900 / this.now().fps) return "skip";
    this.lastFrameMs = nowMs;
    const field = Math.floor(timelineMs / GRID_MS);
    const key = this.broken || this.keyWanted || field !== this.lastField;
    if (!key) return "delta";
    this.lastField = field;
    this.keyWanted = false;
    this.broken = false;
    return "key";
  }

  /**
   * After a picture was encoded.
   * @param {boolean} key
   * @param {Uplink} uplink
   * @returns {boolean} whether it is sent
   */
  pass(key, uplink) {
    const tooLate = this.pressure(uplink) > DROP_MS;
    // The one before it was thrown away: without a keyframe it shows rubbish.
    if (tooLate || (this.broken && !key)) {
      this.broken = true;
      return false;
    }
    return true;
  }

  /** @param {number} nowMs @param {number} pressure */
  adapt(nowMs, pressure) {
    if (pressure > HOLD_MS) {
      this.calmSince = nowMs;
      if (this.step > 0 && nowMs - this.changedAt > FALL_EVERY_MS) {
        this.step -= 1;
        this.changedAt = nowMs;
        this.fell = true;
      }
      return;
    }
    if (this.calmSince === -Infinity) this.calmSince = nowMs;
    const waitMs = this.fell ? RISE_AFTER_FALL_MS : RISE_AFTER_MS;
    const calmMs = nowMs - Math.max(this.calmSince, this.changedAt);
    if (pressure < RELEASE_MS && calmMs > waitMs && this.step < STEPS.length - 1) {
      this.step += 1;
      this.changedAt = nowMs;
      this.fell = false;
    }
  }

  /** A new connection: what was on its way is lost. */
  reopened() {
    this.broken = true;
    this.holding = false;
    this.calmSince = -Infinity;
  }
}

/** Kinds of binary messages. */
export const KIND = /** @type {const} */ ({ video: 1, audio: 2, container: 3 });
export const PARCEL_HEADER_BYTES = 16;
/** Largest payload: the server takes 1 MiB with the header. */
export const MOST_PARCEL_BYTES = (1 << 20) - PARCEL_HEADER_BYTES;

/**
 * @param {import("./publish_wire.js").Parcel} parcel
 * @param {number} number
 * @returns {ArrayBuffer}
 */
export function pack({ kind, key, timestampUs, data }, number) {
  const bytes = new Uint8Array(PARCEL_HEADER_BYTES + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, key ? 1 : 0);
  view.setUint32(4, number);
  view.setBigInt64(8, BigInt(Math.round(timestampUs)));
  bytes.set(data, PARCEL_HEADER_BYTES);
  return bytes.buffer;
}

/** What is sent and not acknowledged: how old the oldest is. */
export class Unanswered {
  constructor() {
    /** @type {{ number: number, atMs: number }[]} */
    this.sent = [];
  }

  /** @param {number} number @param {number} atMs */
  add(number, atMs) {
    this.sent.push({ number, atMs });
  }

  /** @param {number} number acknowledged, with all before it */
  until(number) {
    const rest = this.sent.findIndex((each) => each.number > number);
    this.sent.splice(0, rest < 0 ? this.sent.length : rest);
  }

  clear() {
    this.sent = [];
  }

  /** @param {number} nowMs */
  ageMs(nowMs) {
    const [oldest] = this.sent;
    return oldest ? nowMs - oldest.atMs : 0;
  }
}

/** Kind of a binary message of the server. */
const VOICE = 4;

/** @param {ArrayBuffer} message @returns {{ speaker: number, data: Uint8Array<ArrayBuffer> } | null} */
export function unpackVoice(message) {
  if (message.byteLength <= PARCEL_HEADER_BYTES) return null;
  const view = new DataView(message);
  if (view.getUint8(0) !== VOICE) return null;
  return { speaker: view.getUint32(4), data: new Uint8Array(message, PARCEL_HEADER_BYTES) };
}
