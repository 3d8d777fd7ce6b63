// @ts-check
/**
 * Measures what was really played. An interval grows only while media time and wall clock advance
 * together, so a seek, a stall or a jump over a gap ends it and is never counted.
 */

/** @typedef {import("./protocol.js").Interval} Interval */

/** An interval is handed over after this much media time. */
const LONGEST_MS = 10_000;
/** Shorter ones are noise of pause and seek. */
const SHORTEST_MS = 100;
/** Media time may run ahead of the wall clock by this much between two looks. */
const SLACK_MS = 400;

export class Meter {
  /** @param {(interval: Interval) => void} done */
  constructor(done) {
    this.done = done;
    /** @type {{ fromMs: number, mediaMs: number, wallMs: number, rate: number } | null} */
    this.open = null;
  }

  /**
   * Looks at the element: at every `timeupdate`, and before it stops or jumps.
   * @param {Pick<HTMLMediaElement, "readyState" | "seeking" | "paused" | "currentTime" | "playbackRate">} media
   * @param {number} wallMs a monotonic clock
   */
  look(media, wallMs) {
    if (media.readyState === 0 || media.seeking) return;
    const going = !media.paused && media.readyState > 2;
    if (this.open || going) this.advance(media.currentTime * 1000, wallMs, media.playbackRate);
    if (!going) this.close();
  }

  /** @param {number} mediaMs @param {number} wallMs @param {number} rate */
  advance(mediaMs, wallMs, rate) {
    const open = this.open;
    const played = open ? mediaMs - open.mediaMs : -1;
    if (!open || played < 0 || played > (wallMs - open.wallMs) * open.rate + SLACK_MS) {
      this.close();
      this.open = { fromMs: mediaMs, mediaMs, wallMs, rate };
      return;
    }
    open.mediaMs = mediaMs;
    open.wallMs = wallMs;
    while (open.mediaMs - open.fromMs >= LONGEST_MS) {
      const untilMs = open.fromMs + LONGEST_MS;
      this.hand(open.fromMs, untilMs, open.rate);
      open.fromMs = untilMs;
    }
    if (rate !== open.rate) {
      this.close();
      this.open = { fromMs: mediaMs, mediaMs, wallMs, rate };
    }
  }

  /** Hands over what was measured so far and goes on measuring. */
  flush() {
    const open = this.open;
    this.close();
    if (open) this.open = { ...open, fromMs: open.mediaMs };
  }

  /** It no longer plays: what was seen until the last look stands. */
  close() {
    const open = this.open;
    this.open = null;
    if (open && open.mediaMs - open.fromMs >= SHORTEST_MS) {
      this.hand(open.fromMs, open.mediaMs, open.rate);
    }
  }

  /** @param {number} fromMs @param {number} untilMs @param {number} rate */
  hand(fromMs, untilMs, rate) {
    this.done({
      id: makeUuid(),
      from_ms: Math.round(fromMs),
      until_ms: Math.round(untilMs),
      rate_permille: Math.round(rate * 1000),
    });
  }
}

/** UUID version 4 (RFC 9562); `crypto.randomUUID` is missing on plain HTTP and in old browsers. */
export function makeUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
