// @ts-check
/** Reads the binary messages of `millet.stream.v1`: a fixed big-endian header, then CMAF bytes. */

export const HEADER_BYTES = 24;
/** Largest message taken; a chunk of two seconds at 4 Mbit/s is 1 MB. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

const KEYFRAME = 1;
const FIRST_OF_SEGMENT = 2;
const LAST_OF_TIMELINE = 16;
const AUDIO = 32;

/**
 * @param {ArrayBuffer} message
 * @returns {import("./types.js").Frame}
 * @throws {RangeError} when it is no frame of this protocol
 */
export function parseFrame(message) {
  const length = message.byteLength;
  if (length <= HEADER_BYTES || length > MAX_FRAME_BYTES) {
    throw new RangeError(`frame of ${length} bytes`);
  }
  const view = new DataView(message);
  const kind = view.getUint8(0);
  if (kind !== 1 && kind !== 2) throw new RangeError(`frame of kind ${kind}`);
  const flags = view.getUint16(2);
  const startMs = view.getUint32(16);
  return {
    kind: kind === 1 ? "init" : "chunk",
    lane: flags & AUDIO ? "audio" : "video",
    rendition: view.getUint8(1),
    keyframe: (flags & KEYFRAME) !== 0,
    first: (flags & FIRST_OF_SEGMENT) !== 0,
    last: (flags & LAST_OF_TIMELINE) !== 0,
    epoch: view.getUint32(4),
    sequence: view.getUint32(8),
    part: view.getUint16(12),
    startMs,
    endMs: startMs + view.getUint32(20),
    payload: new Uint8Array(message, HEADER_BYTES),
  };
}
