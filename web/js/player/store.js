// @ts-check
/**
 * The chunks that arrived, by lane, from a little behind the play head to the end of what is known.
 *
 * It is the truth and Media Source Extensions only its sink: after a cut, a change of lanes, a
 * decoder fault or an eviction by the phone, nothing already paid for travels again.
 */

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {Frame & { appended: boolean }} Chunk */

/** Holes up to this length are jumped: frame rounding and audio priming. */
export const SMALL_GAP_MS = 350;
/** Above this nothing more is acknowledged until some is played, so the server stops sending. */
export const MOST_BYTES = 12 * 1024 * 1024;

export class Lane {
  /** @param {"audio" | "video"} name every chunk of sound can be decoded by itself */
  constructor(name) {
    this.name = name;
    /** @type {Chunk[]} in order of time */
    this.chunks = [];
    /** @type {Map<number, Uint8Array<ArrayBuffer>>} init segments by rendition */
    this.inits = new Map();
    /** @type {Frame | null} the newest chunk that arrived: the resume token */
    this.newest = null;
    /** @type {number | null} where the lane ends, once its last chunk has come */
    this.endMs = null;
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} false for a duplicate
   */
  add(frame) {
    if (frame.kind === "init") {
      this.inits.set(frame.rendition, frame.payload);
      return true;
    }
    this.newest = frame;
    if (frame.last) this.endMs = frame.endMs;
    const at = this.chunks.findIndex((chunk) => chunk.endMs > frame.startMs);
    if (at < 0) {
      this.chunks.push({ ...frame, appended: false });
      return true;
    }
    // The same time of the same rendition, whatever the numbering says after a server's restart.
    const same = this.chunks.some(
      (chunk) => chunk.rendition === frame.rendition && chunk.startMs === frame.startMs,
    );
    if (same) return false;
    if (frame.first) {
      // Another rung replaces what was stored from its segment on.
      const from = this.chunks.findIndex((chunk) => chunk.startMs >= frame.startMs);
      const older = this.chunks[from];
      if (older && older.rendition !== frame.rendition) this.chunks.length = from;
    }
    const place = this.chunks.findIndex((chunk) => chunk.startMs > frame.startMs);
    this.chunks.splice(place < 0 ? this.chunks.length : place, 0, { ...frame, appended: false });
    return true;
  }

  /**
   * End of what can be played without a pause from `atMs` on, or `atMs` itself if nothing can.
   * @param {number} atMs
   */
  coveredUntil(atMs) {
    let until = atMs;
    let decodable = false;
    /** @type {Chunk | undefined} */
    let before;
    for (const chunk of this.chunks) {
      const follows =
        before?.rendition === chunk.rendition && chunk.startMs - before.endMs < SMALL_GAP_MS;
      decodable = this.startsAt(chunk) || (decodable && follows);
      before = chunk;
      if (!decodable || chunk.endMs <= until) continue;
      if (chunk.startMs > until + SMALL_GAP_MS) break;
      until = chunk.endMs;
    }
    return until;
  }

  /** Stored milliseconds ahead of `atMs`. @param {number} atMs */
  aheadMs(atMs) {
    return this.coveredUntil(atMs) - atMs;
  }

  /** Start of the first decodable chunk that begins behind `atMs`. @param {number} atMs */
  nextStart(atMs) {
    return this.chunks.find((chunk) => chunk.startMs > atMs && this.startsAt(chunk))?.startMs;
  }

  /**
   * Start of the last segment that begins at or before `atMs`: removal must end at a keyframe,
   * for MSE removes on to the next one.
   * @param {number} atMs
   */
  segmentStart(atMs) {
    return this.chunks.filter((chunk) => chunk.first && chunk.startMs <= atMs).pop()?.startMs;
  }

  /** @param {Chunk} chunk */
  startsAt(chunk) {
    return chunk.keyframe || this.name === "audio";
  }

  /** @param {number} ms drops chunks that begin before */
  dropBefore(ms) {
    this.chunks = this.chunks.filter((chunk) => chunk.startMs >= ms);
  }

  /** @param {number} ms drops chunks that begin after */
  dropAfter(ms) {
    const last = this.chunks[this.chunks.length - 1];
    if (last && last.startMs > ms) this.chunks = this.chunks.filter((chunk) => chunk.startMs <= ms);
  }

  /** Everything from `atMs` to the end is stored. @param {number} atMs */
  complete(atMs) {
    return this.endMs !== null && this.coveredUntil(atMs) >= this.endMs - SMALL_GAP_MS;
  }

  bytes() {
    return this.chunks.reduce((sum, chunk) => sum + chunk.payload.byteLength, 0);
  }
}

/**
 * Which lanes the media element should play. Sound goes first: it starts and goes on alone when the
 * picture is late, and the picture joins when enough of it is stored.
 *
 * @param {object} now
 * @param {"none" | "audio" | "video" | "both"} now.current
 * @param {boolean} now.hasAudio the timeline has a sound lane
 * @param {boolean} now.hasVideo the timeline has a picture lane
 * @param {boolean} now.expectVideo the rung in use has pictures
 * @param {number} now.audioMs stored ahead
 * @param {number} now.videoMs stored ahead
 * @param {number} now.waitedMs since sound could have begun
 * @param {number} now.drops how often the picture fell away: each asks for more before it returns
 * @param {boolean} now.nearEnd little is left to play
 * @returns {"none" | "audio" | "video" | "both"}
 */
export function chooseLanes(now) {
  if (!now.hasAudio) return now.hasVideo ? "video" : "none";
  if (!now.hasVideo) return "audio";
  if (now.current === "both") {
    const pictureRanOut = now.videoMs < 150 && now.audioMs > 2500 && !now.nearEnd;
    return pictureRanOut ? "audio" : "both";
  }
  if (now.current === "audio") {
    const enough = Math.min(4000 * (1 + now.drops), 16_000);
    return now.videoMs >= enough || (now.videoMs > 1000 && now.nearEnd) ? "both" : "audio";
  }
  if (now.audioMs > 0 && now.videoMs > 0) return "both";
  const alone = now.audioMs > 0 && (!now.expectVideo || now.waitedMs > 4000);
  return alone ? "audio" : "none";
}
