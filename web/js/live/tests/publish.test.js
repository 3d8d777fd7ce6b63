import assert from "node:assert/strict";
import { test } from "node:test";

import { base64, fitInto, h264, videoChoices } from "../publish_codec.js";
import { Flow, MOST_PARCEL_BYTES, STEPS, Unanswered, firstStep, pack } from "../publish_flow.js";

/** Runs frames of 50 ms through a flow; `uplink` says what waits at a moment. */
function film(flow, ms, uplink = () => ({}), from = 0) {
  const made = [];
  for (let at = from; at < from + ms; at += 50) {
    const now = { nowMs: at, queuedBytes: 0, ageMs: 0, ...uplink(at) };
    const decided = flow.admit(now, at, 0);
    if (decided !== "skip") made.push({ at, decided, sent: flow.pass(decided === "key", now) });
  }
  return made;
}

test("a keyframe stands in each field of the grid, and only there", () => {
  const keys = film(new Flow(4), 8000).filter((each) => each.decided === "key");
  assert.deepEqual(
    keys.map((each) => each.at),
    [0, 2000, 4000, 6000],
  );
});

test("the frame rate goes with the bits", () => {
  assert.ok(Math.abs(film(new Flow(0), 8000).length - 40) <= 2);
  assert.ok(Math.abs(film(new Flow(4), 8000).length - 160) <= 4);
});

test("a wanted keyframe comes at once", () => {
  const flow = new Flow(4);
  film(flow, 500);
  flow.wantKey();
  assert.equal(film(flow, 50, undefined, 500)[0].decided, "key");
  assert.equal(film(flow, 50, undefined, 550)[0].decided, "delta");
});

test("when the uplink is slow pictures are left out before they are encoded", () => {
  const flow = new Flow(3);
  film(flow, 1000);
  const slow = film(flow, 1000, () => ({ queuedBytes: 40_000 }), 1000);
  assert.deepEqual(slow, []);
  // Nothing encoded was lost: no keyframe out of turn.
  assert.equal(film(flow, 50, () => ({ queuedBytes: 100 }), 1950)[0].decided, "delta");
});

test("between the marks it stays as it is, so that it does not flutter", () => {
  const flow = new Flow(3);
  const bytes = (ms) => ({ queuedBytes: (ms * (STEPS[3].kbit + 24)) / 8 });
  assert.equal(film(flow, 500, () => bytes(400)).length > 0, true);
  film(flow, 100, () => bytes(600), 500);
  assert.deepEqual(
    film(flow, 500, () => bytes(400), 600),
    [],
  );
});

test("what waits too long is thrown away up to the next keyframe", () => {
  const flow = new Flow(3);
  film(flow, 1000);
  const late = { nowMs: 1000, queuedBytes: 200_000, ageMs: 0 };
  const fine = { nowMs: 1050, queuedBytes: 0, ageMs: 0 };
  assert.equal(flow.pass(false, late), false);
  assert.equal(flow.pass(false, fine), false, "its reference is gone");
  assert.equal(flow.admit(fine, 1050, 0), "key");
  assert.equal(flow.pass(true, fine), true);
  assert.equal(flow.pass(false, fine), true);
});

test("acknowledgements that grow old are pressure too: kernels hold more than browsers say", () => {
  const flow = new Flow(3);
  assert.equal(flow.admit({ nowMs: 0, queuedBytes: 0, ageMs: 1400 }, 0, 0), "key");
  assert.equal(flow.admit({ nowMs: 100, queuedBytes: 0, ageMs: 2500 }, 100, 0), "skip");
});

test("the rate falls step by step, down to the lowest, and rises slowly", () => {
  const flow = new Flow(5);
  film(flow, 2000, () => ({ queuedBytes: 90_000 }));
  assert.equal(flow.step, 4);
  film(flow, 30_000, () => ({ queuedBytes: 90_000 }), 2000);
  assert.equal(flow.step, 0);
  film(flow, 20_000, undefined, 32_000);
  assert.equal(flow.step, 0);
  film(flow, 10_000, undefined, 52_000);
  assert.equal(flow.step, 1);
  film(flow, 11_000, undefined, 62_000);
  assert.equal(flow.step, 2);
});

test("a slow processor leaves pictures out without a word about the link", () => {
  const flow = new Flow(3);
  assert.equal(flow.admit({ nowMs: 0, queuedBytes: 0, ageMs: 0 }, 0, 9), "skip");
  assert.equal(flow.step, 3);
});

test("a new connection begins with a keyframe", () => {
  const flow = new Flow(3);
  film(flow, 1000);
  flow.reopened();
  assert.equal(film(flow, 100, undefined, 1050)[0].decided, "key");
});

test("a measured uplink chooses the first step, and leaves room", () => {
  assert.equal(STEPS[firstStep(0)].kbit, 400);
  assert.equal(STEPS[firstStep(100)].kbit, 80);
  assert.equal(STEPS[firstStep(500)].kbit, 250);
  assert.equal(STEPS[firstStep(50_000)].kbit, 900);
});

test("a parcel has the header of the protocol", () => {
  const parcel = { kind: 1, key: true, timestampUs: 2_000_000.4, data: new Uint8Array([7, 8]) };
  const hex = Buffer.from(pack(parcel, 258)).toString("hex");
  assert.equal(hex, "01010000" + "00000102" + "00000000001e8480" + "0708");
  assert.equal(pack({ ...parcel, data: new Uint8Array(MOST_PARCEL_BYTES) }, 0).byteLength, 1 << 20);
});

test("the age is that of the oldest message without an answer", () => {
  const sent = new Unanswered();
  assert.equal(sent.ageMs(50), 0);
  for (let number = 0; number < 5; number += 1) sent.add(number, number * 100);
  assert.equal(sent.ageMs(1000), 1000);
  sent.until(2);
  assert.equal(sent.ageMs(1000), 700);
  sent.until(9);
  assert.equal(sent.ageMs(1000), 0);
});

test("the level of H.264 is never too low for size and rate", () => {
  assert.equal(h264(640, 360, 20), "avc1.42e01e");
  assert.equal(h264(960, 540, 20), "avc1.42e01f");
  assert.equal(h264(1280, 720, 30), "avc1.42e01f");
  assert.equal(h264(1920, 1080, 20), "avc1.42e028");
});

test("sizes keep their shape, are even, and never grow", () => {
  const box = { width: 640, height: 360 };
  assert.deepEqual(fitInto(1280, 720, box), box);
  assert.deepEqual(fitInto(1080, 1920, box), { width: 202, height: 360 });
  assert.deepEqual(fitInto(320, 241, box), { width: 320, height: 240 });
  const [first, second] = videoChoices(box, STEPS[3], "camera");
  assert.equal(first.avc.format, "annexb");
  assert.equal(second.codec, "vp8");
});

test("descriptions travel as base64", () => {
  assert.equal(base64(undefined), null);
  assert.equal(base64(new Uint8Array([1, 2, 3]).subarray(1)), "AgM=");
  assert.equal(base64(new Uint8Array([1]).buffer), "AQ==");
});
