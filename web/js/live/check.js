// @ts-check
/** Measures before the class what the uplink will do. */

const FIRST_BYTES = 32 * 1024;
const MORE_BYTES = 256 * 1024;
/** A first part that takes longer than this has said enough. */
const ENOUGH_MS = 700;
/** A phone in the hills may need long for a handshake, but not forever. */
const PATIENCE_MS = 15_000;

/** @param {number} bytes @param {number} tookMs @param {number} roundTripMs @returns {number} kbit/s */
export function rate(bytes, tookMs, roundTripMs) {
  // The round trip is no time in which bytes travelled; of a fast link it is nearly all.
  return (bytes * 8) / Math.max(1, tookMs - Math.min(roundTripMs, tookMs * 0.9));
}

/**
 * What such an uplink will do for a class.
 * @param {number} kbit
 * @returns {"good" | "fair" | "voice" | "poor"}
 */
export function verdict(kbit) {
  if (kbit >= 500) return "good";
  if (kbit >= 150) return "fair";
  return kbit >= 40 ? "voice" : "poor";
}

/**
 * Posts noise to the server and takes the time.
 * @param {string} path which throws away what it gets
 * @returns {Promise<{ roundTripMs: number, kbit: number } | null>} null when it cannot be measured
 */
export async function checkLink(path) {
  try {
    const trips = [];
    for (let count = 0; count < 3; count += 1) trips.push(await post(path, 1));
    // The first one opened the connection.
    const roundTripMs = Math.min(...trips);
    let bytes = FIRST_BYTES;
    let tookMs = await post(path, bytes);
    if (tookMs - roundTripMs < ENOUGH_MS) {
      bytes = MORE_BYTES;
      tookMs = await post(path, bytes);
    }
    return { roundTripMs, kbit: Math.round(rate(bytes, tookMs, roundTripMs)) };
  } catch {
    return null;
  }
}

/** @param {string} path @param {number} bytes @returns {Promise<number>} milliseconds */
async function post(path, bytes) {
  const body = new Uint8Array(bytes);
  // Noise: what can be compressed would flatter the link. The browser gives 64 KiB at once.
  for (let from = 0; from < bytes; from += 65_536) crypto.getRandomValues(body.subarray(from, from + 65_536));
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  const started = performance.now();
  try {
    const answer = await fetch(path, {
      method: "POST",
      body,
      headers: { "content-type": "application/octet-stream" },
      signal: stop.signal,
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return performance.now() - started;
  } finally {
    clearTimeout(timer);
  }
}
