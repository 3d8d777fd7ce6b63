// @ts-check
/** When a picture may be fetched before its time: only while the media misses nothing by it. Pure. */

/** With this much stored a picture of some kilobytes delays nothing. */
const ENOUGH_MS = 1500;
const PLENTY_MS = 5000;
/** Lines of a picture from which on slides are fetched large. */
const LARGE_LINES = 360;

/**
 * @typedef {object} Moment
 * @property {boolean} wanted media is to play
 * @property {number} storedMs
 * @property {number} lowMs what is to be stored at least
 * @property {boolean} calm nothing stalled lately
 * @property {boolean} saving somebody asked to spare data, or set a limit
 * @property {boolean} hidden nobody looks
 * @property {boolean} fetching another picture is on its way
 */

/** @param {Moment} now */
export function atEase(now) {
  if (now.saving || now.hidden || now.fetching) return false;
  if (!now.wanted) return true;
  return now.calm && now.storedMs >= Math.min(Math.max(now.lowMs, ENOUGH_MS), PLENTY_MS);
}

/**
 * The next picture worth fetching: the slide on screen sharp, then those behind it as large as the link
 * carries pictures.
 * @param {readonly string[]} pages from the slide on screen on
 * @param {number} lines height of the moving picture, 0 for none
 * @param {ReadonlySet<string>} fetched
 */
export function nextPicture([shown, ...behind], lines, fetched) {
  const sized = behind.map((path) => (lines >= LARGE_LINES ? path : `${path}?small`));
  return (shown ? [shown, ...sized] : sized).find((path) => !fetched.has(path)) ?? null;
}
