import assert from "node:assert/strict";
import { test } from "node:test";

import { HEADER_BYTES, MAX_FRAME_BYTES, backOffMs, parseFrame } from "../socket.js";

/** A message with this header, fields as they lie on the wire. */
function message({ kind = 2, rendition = 3, flags = 0, payload = [1, 2, 3] } = {}) {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, rendition);
  view.setUint16(2, flags);
  view.setUint32(4, 7);
  view.setUint32(8, 70_000);
  view.setUint16(12, 513);
  view.setUint32(16, 4_000_000_000);
  view.setUint32(20, 2000);
  bytes.set(payload, HEADER_BYTES);
  return bytes.buffer;
}

test("a chunk is read field by field", () => {
  const { payload, ...header } = parseFrame(message({ flags: 1 | 2 }));
  assert.deepEqual(header, {
    kind: "chunk",
    lane: "video",
    rendition: 3,
    keyframe: true,
    first: true,
    gap: false,
    last: false,
    epoch: 7,
    sequence: 70_000,
    part: 513,
    startMs: 4_000_000_000,
    endMs: 4_000_002_000,
  });
  assert.deepEqual([...payload], [1, 2, 3]);
});

test("flags tell the audio lane and the end of the timeline", () => {
  const frame = parseFrame(message({ flags: 16 | 32 }));
  assert.equal(frame.lane, "audio");
  assert.equal(frame.last, true);
  assert.equal(frame.gap, false);
  assert.equal(parseFrame(message({ flags: 8 })).gap, true);
  assert.equal(frame.keyframe, false);
  assert.equal(parseFrame(message({ kind: 1 })).kind, "init");
});

test("what is no frame is refused", () => {
  assert.throws(() => parseFrame(new ArrayBuffer(0)), RangeError);
  assert.throws(() => parseFrame(message({ payload: [] })), RangeError);
  assert.throws(() => parseFrame(message({ kind: 0 })), RangeError);
  assert.throws(() => parseFrame(message({ kind: 3 })), RangeError);
  assert.throws(() => parseFrame(new ArrayBuffer(MAX_FRAME_BYTES + 1)), RangeError);
});

test("waits grow up to a bound, never vanish, and are scattered", () => {
  const waits = [0, 1, 2, 3, 4, 5, 6, 60, 6000].map((attempt) => backOffMs(attempt, 0.999));
  for (const [index, wait] of waits.entries()) {
    assert.ok(wait >= 500 && wait <= 15_000, `attempt ${index}: ${wait}`);
    assert.ok(index === 0 || wait >= waits[index - 1]);
  }
  assert.ok(waits[8] > 14_000);
  assert.ok(backOffMs(8, 0) < backOffMs(8, 0.9));
});
