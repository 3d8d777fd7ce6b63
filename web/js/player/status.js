// @ts-check
/** What the learner is told: one state for the eye, one sentence for the live region. */

/** @typedef {import("./types.js").Facts} Facts */

/** Shorter cuts and stalls are not worth a word. */
const PATIENCE_MS = 1200;

/** @param {Facts} now @returns {"connecting" | "playing" | "waiting" | "paused" | "cut" | "ended" | "problem"} */
export function stateOf(now) {
  if (now.problem) return "problem";
  if (now.ended) return "ended";
  if (!now.wanted) return "paused";
  if (now.lostMs > 0) return "cut";
  if (!now.known) return "connecting";
  return now.stalledMs > 0 ? "waiting" : "playing";
}

/** @param {Facts} now @returns {string} key of the words, empty for nothing worth saying */
export function statusOf(now) {
  if (now.problem) return "problem";
  if (now.ended) return now.completed || "ended";
  if (!now.started) return "";
  if (now.lostMs > PATIENCE_MS) return now.storedMs > 1000 ? "lost" : "lost-empty";
  if (now.budgetReached) return "budget-reached";
  if (!now.known) return "connecting";
  if (now.stalledMs > PATIENCE_MS) return "waiting";
  return now.notice || now.completed;
}
