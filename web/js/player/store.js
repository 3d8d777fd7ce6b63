// @ts-check
/**
 * The chunks that arrived, by lane, from a little behind the play head to the end of what is known.
 *
 * It is the truth and Media Source Extensions only its sink: after a cut, a change of lanes, a
 * decoder fault or an eviction by the phone, nothing already paid for travels again.
 */

/** @typedef {import("./types.js").Frame} Frame */
/** @typedef {import("./types.js").Chunk} Chunk */

/** Holes up to this length are jumped: frame rounding and audio priming. */
export const SMALL_GAP_MS = 350;
/** Above this nothing more is acknowledged until some is played, so the server stops sending. */
export const MOST_BYTES = 12 * 1024 * 1024;
/** Kept behind the play head whatever it weighs. */
const KEEP_BEHIND_MS = 20_000;
/** Stored media further ahead than this is left over from a seek. */
const FAR_AHEAD_MS = 150_000;

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
    // Lanes come in order: what the server says to have stepped over will never come.
    const before = this.newest;
    const afterMs = frame.gap && before?.epoch === frame.epoch ? before.endMs : Infinity;
    const chunk = { ...frame, afterMs, appended: false };
    this.newest = frame;
    if (frame.last) this.endMs = frame.endMs;
    const at = this.chunks.findIndex((chunk) => chunk.endMs > frame.startMs);
    if (at < 0) {
      this.chunks.push(chunk);
      return true;
    }
    // The same time of the same rendition, whatever the numbering says after a server's restart.
    const same = this.chunks.some(
      (each) => each.rendition === frame.rendition && each.startMs === frame.startMs,
    );
    if (same) return false;
    if (frame.first) {
      // Another rung replaces what was stored from its segment on.
      const from = this.chunks.findIndex((each) => each.startMs >= frame.startMs);
      const older = this.chunks[from];
      if (older && older.rendition !== frame.rendition) this.chunks.length = from;
    }
    const place = this.chunks.findIndex((each) => each.startMs > frame.startMs);
    this.chunks.splice(place < 0 ? this.chunks.length : place, 0, chunk);
    return true;
  }

  /**
   * End of what can be played without a pause from `atMs` on, or `atMs` itself if nothing can.
   * @param {number} atMs
   * @param {boolean} [known] count what was left out for good as covered: nobody need ask for it
   */
  coveredUntil(atMs, known = false) {
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
      const leftOut = known && chunk.afterMs <= until + SMALL_GAP_MS;
      if (chunk.startMs > until + SMALL_GAP_MS && !leftOut) break;
      until = chunk.endMs;
    }
    return until;
  }

  /** The newest chunk, if all from `atMs` to its end is stored: the server can go on behind it. @param {number} atMs */
  resumable(atMs) {
    const { newest } = this;
    const joins = newest && newest.endMs >= atMs - SMALL_GAP_MS;
    return joins && this.coveredUntil(atMs, true) >= newest.endMs ? newest : null;
  }

  /** Stored milliseconds ahead of `atMs`. @param {number} atMs */
  aheadMs(atMs) {
    return this.coveredUntil(atMs) - atMs;
  }

  /**
   * Start of the last segment at or before `atMs` that begins with a keyframe: MSE decodes from there
   * on, and removes up to there. Live stills have one in each fourth segment only.
   * @param {number} atMs
   */
  segmentStart(atMs) {
    let start;
    for (const chunk of this.chunks) {
      if (chunk.startMs > atMs) break;
      if (chunk.first && this.startsAt(chunk)) start = chunk.startMs;
    }
    return start;
  }

  /**
   * Where the lane goes on behind a hole at `atMs`, once that is settled: lanes come in order, so what is stored
   * from before behind the newest chunk may yet be reached without a hole.
   * @param {number} atMs
   * @param {number} epoch of what the server sends now
   */
  startAfter(atMs, epoch) {
    const { newest } = this;
    if (newest?.epoch !== epoch) return undefined;
    const next = this.chunks.find((chunk) => chunk.startMs > atMs && this.startsAt(chunk));
    return next && next.startMs <= newest.startMs ? next.startMs : undefined;
  }

  /** What the browser wants next to play from `atMs`. @param {number} atMs */
  next(atMs) {
    const from = this.segmentStart(atMs) ?? 0;
    return this.chunks.find((chunk) => !chunk.appended && chunk.startMs >= from);
  }

  /** @param {Chunk} chunk */
  startsAt(chunk) {
    return chunk.keyframe || this.name === "audio";
  }

  /** Start of the first stored segment at or after `atMs` that begins with a keyframe. @param {number} atMs */
  segmentAfter(atMs) {
    return this.chunks.find((chunk) => chunk.first && this.startsAt(chunk) && chunk.startMs >= atMs)?.startMs;
  }

  /** Gives up what is farthest from the head, once there is too much. @param {number} headMs */
  trim(headMs) {
    while (this.bytes() > MOST_BYTES / 3) {
      const [first] = this.chunks;
      const last = this.chunks[this.chunks.length - 1];
      if (first && first.startMs < (this.segmentStart(headMs - KEEP_BEHIND_MS) ?? 0)) {
        this.chunks.shift();
      } else if (last && last.startMs > headMs + FAR_AHEAD_MS) {
        this.chunks.pop();
      } else {
        return;
      }
    }
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
 * Stored pictures with which they join the sound.
 * @param {number} drops
 * @param {number} scarcity
 */
export function enoughMs(drops, scarcity) {
  // Live, more than this is never stored near the present.
  const most = scarcity < 1 ? 6000 : 12_000;
  return Math.min(3000 * (1 + drops), most) * scarcity;
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
 * @param {number} [now.scarcity] less than 1 where little can be stored because it is live
 * @returns {"none" | "audio" | "video" | "both"}
 */
export function chooseLanes(now) {
  const { scarcity = 1 } = now;
  if (!now.hasAudio) return now.hasVideo ? "video" : "none";
  if (!now.hasVideo) return "audio";
  if (now.current === "both") {
    const pictureRanOut = now.videoMs < 150 && now.audioMs > 2500 * scarcity && !now.nearEnd;
    return pictureRanOut ? "audio" : "both";
  }
  if (now.current === "audio") {
    return now.videoMs >= enoughMs(now.drops, scarcity) || (now.videoMs > 1000 && now.nearEnd) ? "both" : "audio";
  }
  if (now.audioMs > 0 && now.videoMs > 0) return "both";
  const alone = now.audioMs > 0 && (!now.expectVideo || now.waitedMs > 4000);
  return alone ? "audio" : "none";
}
