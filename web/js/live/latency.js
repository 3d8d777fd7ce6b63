// @ts-check
/**
 * How near to the present a growing timeline is played. The target is a range, never a point:
 * whoever chases a point freezes whenever the link breathes. Pure, so that it can be tested.
 */

/** @typedef {{ lowMs: number, highMs: number }} Range */

/** What a learner may choose. */
export const RANGES = /** @type {Record<string, Range>} */ ({
  close: { lowMs: 1000, highMs: 2600 },
  steady: { lowMs: 20_000, highMs: 30_000 },
  patient: { lowMs: 45_000, highMs: 60_000 },
});

/** Further behind than this, running faster takes too long: whoever wants the present jumps. */
const JUMP_MS = 20_000;
/** Each stall asks for more distance, each calm minute for less. */
const STRETCH = 1.5;
const MOST_STRETCH = 4;
const CALM_MS = 60_000;
/** Farthest from the present that stalls may push. */
const LONGEST_MS = 60_000;
/** Seeking instead of running faster costs a visible jump: only when it brings this much. */
const WORTH_A_SEEK_MS = 2500;

/**
 * @typedef {object} Moment
 * @property {number} edgeMs end of the newest chunk that there is
 * @property {number} headMs
 * @property {number} storedMs ahead of the head
 * @property {boolean} all see everything: nothing is left out
 * @property {boolean} runs the browser plays faster without storing anew (not Safari)
 * @property {number} wallMs a monotonic clock
 */

export class Latency {
  constructor() {
    this.name = "close";
    this.stretch = 1;
    this.stalledAt = 0;
    this.hurrying = false;
  }

  /** @param {string} name one of `RANGES` */
  choose(name) {
    if (!RANGES[name]) return;
    this.name = name;
    this.stretch = 1;
    this.hurrying = false;
  }

  /** @returns {Range} */
  range() {
    const { lowMs, highMs } = RANGES[this.name] ?? { lowMs: 1000, highMs: 2600 };
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
    this.stalledAt = wallMs;
    this.hurrying = false;
  }

  /**
   * @param {Moment} now
   * @returns {{ rate: number, seekMs: number | null }} seekMs: go there instead
   */
  steer(now) {
    if (this.stretch > 1 && now.wallMs - this.stalledAt > CALM_MS) {
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
    if (!this.hurrying) return { rate: 1, seekMs: null };
    if (now.runs) return { rate: rateFor(behindMs - middleMs), seekMs: null };
    const gainMs = Math.min(behindMs - middleMs, now.storedMs - lowMs / 2);
    if (now.all || gainMs < WORTH_A_SEEK_MS) return { rate: 1, seekMs: null };
    this.hurrying = false;
    return { rate: 1, seekMs: now.headMs + gainMs };
  }
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
 * Where to go on behind a hole, once enough of what follows is there.
 * @param {object} now
 * @param {number} now.headMs
 * @param {{ aheadMs: number, startMs: number | undefined, afterMs: (atMs: number) => number }[]} now.lanes those that play
 * @param {number} now.enoughMs
 * @returns {number | null}
 */
export function overHole(now) {
  const empty = now.lanes.filter((lane) => lane.aheadMs < 100);
  if (empty.length === 0) return null;
  const starts = empty.map((lane) => lane.startMs);
  if (starts.some((start) => start === undefined)) return null;
  const toMs = Math.max(...starts.map((start) => start ?? 0));
  return now.lanes.every((lane) => lane.afterMs(toMs) >= now.enoughMs) ? toMs : null;
}
