// @ts-check
/**
 * Measures what was really played and keeps it until the server has accounted for it.
 *
 * An interval grows only while media time and wall clock advance together, so a seek, a stall or a
 * jump over a gap ends it and is never counted.
 */

/** An interval is handed over after this much media time. */
const LONGEST_MS = 10_000;
/** Shorter ones are noise of pause and seek. */
const SHORTEST_MS = 100;
/** Media time may run ahead of the wall clock by this much between two looks. */
const SLACK_MS = 400;
/** The outbox is naturally small: without a link only the stored media can play. */
export const MAX_STORED = 500;

/**
 * @typedef {{ id: string, from_ms: number, until_ms: number }} Interval
 */

export class Meter {
  /**
   * @param {(interval: Interval) => void} done
   * @param {() => string} makeId
   */
  constructor(done, makeId = makeUuid) {
    this.done = done;
    this.makeId = makeId;
    /** @type {{ fromMs: number, mediaMs: number, wallMs: number } | null} */
    this.open = null;
  }

  /** Looks at the element: at every `timeupdate`, and before it stops or jumps. */
  look(/** @type {HTMLMediaElement} */ media, /** @type {number} */ wallMs) {
    if (media.readyState === 0 || media.seeking) return;
    const going = !media.paused && media.readyState > 2;
    if (this.open || going) this.advance(media.currentTime * 1000, wallMs, media.playbackRate);
    if (!going) this.close();
  }

  /**
   * @param {number} mediaMs
   * @param {number} wallMs a monotonic clock
   * @param {number} rate
   */
  advance(mediaMs, wallMs, rate) {
    const open = this.open;
    if (!open) {
      this.open = { fromMs: mediaMs, mediaMs, wallMs };
      return;
    }
    const played = mediaMs - open.mediaMs;
    const passed = wallMs - open.wallMs;
    if (played < 0 || played > passed * rate + SLACK_MS) {
      this.close();
      this.open = { fromMs: mediaMs, mediaMs, wallMs };
      return;
    }
    open.mediaMs = mediaMs;
    open.wallMs = wallMs;
    while (open.mediaMs - open.fromMs >= LONGEST_MS) {
      const until = open.fromMs + LONGEST_MS;
      this.hand(open.fromMs, until);
      open.fromMs = until;
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
      this.hand(open.fromMs, open.mediaMs);
    }
  }

  /**
   * @param {number} fromMs
   * @param {number} untilMs
   */
  hand(fromMs, untilMs) {
    this.done({ id: this.makeId(), from_ms: Math.round(fromMs), until_ms: Math.round(untilMs) });
  }
}

/** Intervals not yet accounted for, one storage key each, so that two tabs never overwrite each other. */
export class Outbox {
  /**
   * @param {Storage | null} storage null where the browser forbids it: then memory alone
   * @param {string} scope learner and timeline
   */
  constructor(storage, scope) {
    this.storage = storage;
    this.prefix = `millet.played.${scope}.`;
    /** @type {Map<string, Interval>} */
    this.waiting = new Map();
    this.load();
  }

  load() {
    const storage = this.storage;
    for (let index = 0; storage && index < storage.length; index += 1) {
      const key = storage.key(index);
      if (key?.startsWith(this.prefix)) {
        const interval = readInterval(storage.getItem(key));
        if (interval) this.waiting.set(interval.id, interval);
      }
    }
  }

  /** @param {Interval} interval */
  put(interval) {
    if (this.waiting.size >= MAX_STORED) {
      for (const oldest of this.waiting.keys()) {
        this.settle([oldest]);
        break;
      }
    }
    this.waiting.set(interval.id, interval);
    try {
      this.storage?.setItem(this.prefix + interval.id, JSON.stringify(interval));
    } catch {
      // Storage is full or forbidden: memory keeps it while the page lives.
    }
  }

  /**
   * The server has credited or refused these: either way they are done.
   * @param {readonly string[]} ids
   */
  settle(ids) {
    for (const id of ids) {
      this.waiting.delete(id);
      this.storage?.removeItem(this.prefix + id);
    }
  }

  /** @returns {Interval[]} in order of media time */
  list() {
    return [...this.waiting.values()].sort((a, b) => a.from_ms - b.from_ms);
  }
}

/**
 * @param {string | null} text
 * @returns {Interval | null}
 */
function readInterval(text) {
  try {
    const value = JSON.parse(text ?? "null");
    const ok =
      typeof value?.id === "string" &&
      Number.isInteger(value.from_ms) &&
      Number.isInteger(value.until_ms);
    return ok ? { id: value.id, from_ms: value.from_ms, until_ms: value.until_ms } : null;
  } catch {
    return null;
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
