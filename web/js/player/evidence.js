// @ts-check
/**
 * Measures what was really played, and keeps it on the device until the server has accounted for
 * it. An interval grows only while media time and wall clock advance together, so a seek, a stall
 * or a jump over a gap ends it and is never counted.
 */

/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./types.js").Shelf} Shelf */
/** @typedef {import("./types.js").Waiting} Waiting */

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

/** Naturally small: without a link only the stored media can play. */
export const MAX_WAITING = 500;

export class Outbox {
  /**
   * @param {string} learner
   * @param {string} timeline
   * @param {Promise<Shelf | null>} shelf null where the browser keeps nothing: then memory alone
   */
  constructor(learner, timeline, shelf) {
    this.learner = learner;
    this.timeline = timeline;
    /** @type {Shelf | null} */
    this.shelf = null;
    /** @type {Map<string, Waiting>} */
    this.waiting = new Map();
    /** Settles once the intervals of earlier visits are in the list: all timelines with some. */
    this.ready = this.load(shelf);
  }

  /** @param {Promise<Shelf | null>} opening */
  async load(opening) {
    const shelf = await opening;
    const earlier = (await shelf?.list(this.learner).catch(console.error)) ?? [];
    for (const each of this.waiting.values()) shelf?.put(each);
    for (const each of earlier) {
      if (each.timeline === this.timeline) this.waiting.set(each.id, each);
    }
    this.shelf = shelf;
    return [...new Set(earlier.map((each) => each.timeline))];
  }

  /** @param {Interval} interval */
  put(interval) {
    const [oldest] = this.waiting.keys();
    if (oldest && this.waiting.size >= MAX_WAITING) this.settle([oldest]);
    const waiting = { ...interval, learner: this.learner, timeline: this.timeline };
    this.waiting.set(interval.id, waiting);
    this.shelf?.put(waiting);
  }

  /**
   * The server has credited or refused these: either way they are done.
   * @param {readonly string[]} ids
   */
  settle(ids) {
    for (const id of ids) {
      this.waiting.delete(id);
      this.shelf?.remove(id);
    }
  }

  /** @param {number} most @returns {Interval[]} in order of media time */
  list(most) {
    return [...this.waiting.values()]
      .sort((a, b) => a.from_ms - b.from_ms)
      .slice(0, most)
      .map(({ learner, timeline, ...interval }) => interval);
  }
}

const STORE = "played";

/** @returns {Promise<Shelf | null>} IndexedDB, else `localStorage`, else nothing */
export async function openShelf() {
  try {
    return databaseShelf(await openDatabase());
  } catch {
    // Private windows of some browsers have no database.
    const storage = openStorage();
    return storage && storageShelf(storage);
  }
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("millet-player", 1);
    opening.onupgradeneeded = () =>
      opening.result.createObjectStore(STORE, { keyPath: "id" }).createIndex("learner", "learner");
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

/** @param {IDBDatabase} database @returns {Shelf} */
function databaseShelf(database) {
  /** @param {(store: IDBObjectStore) => void} act */
  const write = (act) => {
    const transaction = database.transaction(STORE, "readwrite");
    act(transaction.objectStore(STORE));
    // The page may be going away: do not wait for the next turn.
    transaction.commit?.();
  };
  return {
    list: (learner) =>
      new Promise((resolve, reject) => {
        const index = database.transaction(STORE).objectStore(STORE).index("learner");
        const asked = index.getAll(learner);
        asked.onsuccess = () => resolve(asked.result);
        asked.onerror = () => reject(asked.error);
      }),
    put: (waiting) => write((store) => store.put(waiting)),
    remove: (id) => write((store) => store.delete(id)),
  };
}

/** @param {Storage} storage one key each, so that two tabs never overwrite each other @returns {Shelf} */
export function storageShelf(storage) {
  const prefix = "millet.played.";
  return {
    async list(learner) {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
      return keys
        .filter((key) => key.startsWith(prefix))
        .map((key) => JSON.parse(storage.getItem(key) ?? "{}"))
        .filter((waiting) => waiting.learner === learner);
    },
    put(waiting) {
      try {
        storage.setItem(prefix + waiting.id, JSON.stringify(waiting));
      } catch {
        // Full: memory keeps it while the page lives.
      }
    },
    remove: (id) => storage.removeItem(prefix + id),
  };
}

/** @returns {Storage | null} null where the browser forbids it */
export function openStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}
