// @ts-check
/**
 * How near to the present a growing timeline is played. The target is a range, never a point:
 * whoever chases a point freezes whenever the link breathes. Pure, so that it can be tested.
 */

/** @typedef {{ lowMs: number, highMs: number }} Range */

const CLOSE = { lowMs: 1000, highMs: 2600 };
/** What a learner may choose. */
export const RANGES = /** @type {Record<string, Range>} */ ({
  close: CLOSE,
  steady: { lowMs: 20_000, highMs: 30_000 },
  patient: { lowMs: 45_000, highMs: 60_000 },
});

/** Further behind than this, running faster takes too long: whoever wants the present jumps. */
const JUMP_MS = 20_000;
/** Each stall asks for more distance, each calm minute for less. */
const STRETCH = 1.5;
const MOST_STRETCH = 4;
const CALM_MS = 60_000;
/** A link that stalls again and again is asked less and less often whether it has become better. */
const MOST_CALM_MS = 16 * 60_000;
/** Near the present, what is stored never falls below this: the link's breath. */
const CUSHION_MS = 300;
/** So much more or less than the cushion is left alone. */
const SLACK_MS = 250;
/** Time over which the least that was stored is looked at: before more is spent, and before more is saved. */
const LOOK_MS = 8000;
const LOOK_AT_LITTLE_MS = 2000;
/** With this share of the cushion there is no time to look. */
const NEXT_TO_NOTHING = 0.4;
/** Farthest from the present that stalls may push. */
const LONGEST_MS = 60_000;
/** Seeking instead of running faster costs a visible jump: only when it brings this much. */
const WORTH_A_SEEK_MS = 2500;

/**
 * @typedef {object} Moment
 * @property {number} edgeMs end of the newest chunk that there is
 * @property {number} headMs
 * @property {number} storedMs ahead of the head
 * @property {number} needMs what must be stored at least for what shall be shown
 * @property {boolean} all see everything: nothing is left out
 * @property {boolean} runs the browser plays faster without storing anew (not Safari)
 * @property {number} wallMs a monotonic clock
 */

export class Latency {
  constructor() {
    this.name = "close";
    this.chosen = CLOSE;
    this.stretch = 1;
    this.stalledAt = 0;
    this.calmMs = CALM_MS;
    this.hurrying = false;
    /** @type {{ leastMs: number, sinceMs: number } | null} the least that was stored of late */
    this.store = null;
    /** @type {{ wantMs: number, untilMs: number } | null} what is stored and never needed, or missing */
    this.spare = null;
  }

  /** @param {string} name one of `RANGES` */
  choose(name) {
    const chosen = RANGES[name];
    if (!chosen) return;
    this.name = name;
    this.chosen = chosen;
    this.stretch = 1;
    this.hurrying = false;
  }

  /** @returns {Range} */
  range() {
    const { lowMs, highMs } = this.chosen;
    const low = Math.min(lowMs * this.stretch, LONGEST_MS / 2);
    return {
      lowMs: Math.max(lowMs, low),
      highMs: Math.max(highMs, Math.min(highMs * this.stretch, LONGEST_MS)),
    };
  }

  /** Where to begin so that the distance lies in the middle of the range. @param {number} edgeMs */
  startMs(edgeMs) {
    const { lowMs, highMs } = this.range();
    // Near the present the beginning of a segment is near enough: no step back.
    return Math.max(0, edgeMs - (this.name === "close" ? lowMs : (lowMs + highMs) / 2));
  }

  /** Nothing was left to play. @param {number} wallMs */
  stalled(wallMs) {
    this.stretch = Math.min(MOST_STRETCH, this.stretch * STRETCH);
    if (this.stalledAt > 0) this.calmMs = Math.min(MOST_CALM_MS, this.calmMs * 2);
    this.stalledAt = wallMs;
    this.hurrying = false;
    this.lookAnew();
  }

  lookAnew() {
    this.store = this.spare = null;
  }

  /**
   * @param {Moment} now
   * @returns {{ rate: number, seekMs: number | null }} seekMs: go there instead
   */
  steer(now) {
    if (this.stretch > 1 && now.wallMs - this.stalledAt > this.calmMs) {
      this.stretch = Math.max(1, this.stretch / STRETCH);
      this.stalledAt = now.wallMs;
    }
    const { lowMs, highMs } = this.range();
    const middleMs = (lowMs + highMs) / 2;
    const behindMs = now.edgeMs - now.headMs;
    if (!now.all && behindMs > highMs + JUMP_MS) {
      this.hurrying = false;
      return { rate: 1, seekMs: this.startMs(now.edgeMs) };
    }
    if (behindMs > highMs) this.hurrying = true;
    // Half the low mark stays in store: what is not stored cannot be hurried through.
    if (behindMs <= middleMs || now.storedMs <= Math.max(600, lowMs / 2)) this.hurrying = false;
    if (!this.hurrying) return { rate: this.drift(now, behindMs > highMs), seekMs: null };
    this.lookAnew();
    if (now.runs) return { rate: rateFor(behindMs - middleMs), seekMs: null };
    const gainMs = Math.min(behindMs - middleMs, now.storedMs - lowMs / 2);
    if (now.all || gainMs < WORTH_A_SEEK_MS) return { rate: 1, seekMs: null };
    this.hurrying = false;
    return { rate: 1, seekMs: now.headMs + gainMs };
  }

  /**
   * A little faster where the link lets more be stored than it ever needs, a little slower before nothing is
   * left: the edge is known to half a second only, what is stored exactly.
   * @param {Moment} now
   * @param {boolean} far slower would be too far
   */
  drift(now, far) {
    if (this.name !== "close" || now.all || !now.runs) return 1;
    const cushionMs = Math.max(CUSHION_MS * this.stretch, now.needMs);
    // The head against the clock.
    const leadMs = now.headMs - now.wallMs;
    if (this.spare) {
      const { wantMs, untilMs } = this.spare;
      const goesOn = wantMs > 0 ? leadMs < untilMs && now.storedMs > cushionMs : leadMs > untilMs && !far;
      if (goesOn) return driftFor(wantMs);
      this.lookAnew();
      return 1;
    }
    this.store ??= { leastMs: now.storedMs, sinceMs: now.wallMs };
    this.store.leastMs = Math.min(this.store.leastMs, now.storedMs);
    const lookedMs = now.wallMs - this.store.sinceMs;
    const wantMs = this.store.leastMs - cushionMs;
    const nothing = now.storedMs < cushionMs * NEXT_TO_NOTHING;
    const saves = !far && (nothing || (wantMs < -SLACK_MS && lookedMs >= LOOK_AT_LITTLE_MS));
    if (!saves && lookedMs < LOOK_MS) return 1;
    this.store = null;
    if (!saves && wantMs <= SLACK_MS) return 1;
    this.spare = { wantMs, untilMs: leadMs + wantMs };
    return driftFor(wantMs);
  }
}

/** @param {number} wantMs to be spent; below 0 to be saved */
function driftFor(wantMs) {
  if (wantMs > 0) return 1.05;
  return wantMs > -600 ? 0.95 : 0.9;
}

/** @param {number} excessMs above the middle of the range */
function rateFor(excessMs) {
  if (excessMs < 2000) return 1.05;
  return excessMs < 5000 ? 1.1 : 1.25;
}

/**
 * The end of what there is, between two words of the server about it.
 * @param {import("../player/protocol.js").LiveNow} live the newest
 * @param {number} agoMs when it came
 * @param {number} arrivedMs end of the newest chunk that arrived
 */
export function edgeNow(live, agoMs, arrivedMs) {
  // Media that stopped coming does not grow by waiting.
  const grows = !live.ended && live.now_ms - live.edge_ms < 6000;
  return Math.max(live.edge_ms + (grows ? Math.min(agoMs, 6000) : 0), arrivedMs);
}

/**
 * Where to go on behind a hole, or several, once enough of what follows is there.
 * @param {object} now
 * @param {number} now.headMs
 * @param {number} now.epoch of what the server sends now
 * @param {Pick<import("../player/store.js").Lane, "aheadMs" | "startAfter">[]} now.lanes those that play
 * @param {number} now.enoughMs
 * @returns {number | null}
 */
export function overHole({ headMs, lanes, epoch, enoughMs }) {
  let empty = lanes.filter((lane) => lane.aheadMs(headMs) < 100);
  if (empty.length === 0) return null;
  let toMs = headMs;
  // Each lane begins behind what it has: this comes to an end.
  while (empty.length > 0) {
    const starts = empty.map((lane) => lane.startAfter(toMs, epoch));
    if (starts.some((start) => start === undefined)) return null;
    toMs = Math.max(...starts.map((start) => start ?? 0));
    empty = lanes.filter((lane) => lane.aheadMs(toMs) < enoughMs);
  }
  return toMs;
}
