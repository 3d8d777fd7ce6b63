// @ts-check
/** Keeps played intervals on the device until the server has accounted for them. */

/** @typedef {import("./protocol.js").Interval} Interval */
/** @typedef {import("./types.js").Shelf} Shelf */
/** @typedef {import("./types.js").Waiting} Waiting */

/** Naturally small: without a link only the stored media can play. */
export const MAX_WAITING = 500;

export class Outbox {
  /**
   * @param {string} scope learner and timeline
   * @param {Promise<Shelf | null>} shelf null where the browser keeps nothing: then memory alone
   */
  constructor(scope, shelf) {
    this.scope = scope;
    /** @type {Shelf | null} */
    this.shelf = null;
    /** @type {Map<string, Waiting>} */
    this.waiting = new Map();
    /** Settles once the intervals of earlier visits are in the list. */
    this.ready = this.load(shelf);
  }

  /** @param {Promise<Shelf | null>} opening */
  async load(opening) {
    const shelf = await opening;
    const earlier = (await shelf?.list(this.scope).catch(console.error)) ?? [];
    for (const each of this.waiting.values()) shelf?.put(each);
    for (const each of earlier) this.waiting.set(each.id, each);
    this.shelf = shelf;
  }

  /** @param {Interval} interval */
  put(interval) {
    const [oldest] = this.waiting.keys();
    if (oldest && this.waiting.size >= MAX_WAITING) this.settle([oldest]);
    const waiting = { ...interval, scope: this.scope };
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
      .map(({ scope, ...interval }) => interval);
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
      opening.result.createObjectStore(STORE, { keyPath: "id" }).createIndex("scope", "scope");
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
    list: (scope) =>
      new Promise((resolve, reject) => {
        const asked = database.transaction(STORE).objectStore(STORE).index("scope").getAll(scope);
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
    async list(scope) {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
      return keys
        .filter((key) => key.startsWith(prefix))
        .map((key) => JSON.parse(storage.getItem(key) ?? "{}"))
        .filter((waiting) => waiting.scope === scope);
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
