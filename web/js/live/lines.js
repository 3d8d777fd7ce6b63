// @ts-check
/**
 * Lines as they travel: base64 of pairs of bytes, the first point as two big-endian u16 (0 to 4095
 * over width and height), each further one as two signed bytes of difference. Where the server joins
 * lines, the difference -128, -128 lifts the pen and a point follows. Pure.
 */

/** @typedef {[number, number]} Point */

/** Largest coordinate. */
export const FAR = 4095;
const LIFT = -128;

/** @param {number} value */
export function bound(value) {
  return Math.max(0, Math.min(FAR, Math.round(value)));
}

/** @param {string} text @returns {Point[][]} the lines that can be read of it; others may send anything */
export function decode(text) {
  let bytes;
  try {
    bytes = atob(text);
  } catch {
    return [];
  }
  const at = (/** @type {number} */ index) => bytes.charCodeAt(index);
  const signed = (/** @type {number} */ index) => (at(index) << 24) >> 24;
  if (bytes.length < 4) return [];
  const whole = (/** @type {number} */ index) => bound((at(index) << 8) | at(index + 1));
  let [x, y] = [whole(0), whole(2)];
  /** @type {Point[]} */
  let line = [[x, y]];
  const lines = [line];
  for (let index = 4; index + 1 < bytes.length; index += 2) {
    const [dx, dy] = [signed(index), signed(index + 1)];
    if (dx === LIFT && dy === LIFT) {
      if (index + 5 >= bytes.length) break;
      [x, y] = [whole(index + 2), whole(index + 4)];
      line = [[x, y]];
      lines.push(line);
      index += 4;
      continue;
    }
    [x, y] = [bound(x + dx), bound(y + dy)];
    line.push([x, y]);
  }
  return lines;
}
