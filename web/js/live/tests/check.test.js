import assert from "node:assert/strict";
import { test } from "node:test";

import { rate, verdict } from "../check.js";
import { SampleClock, loudness } from "../microphone.js";

test("the uplink is what travelled beside the round trip", () => {
  assert.equal(rate(32_000, 1256, 1000), 1000);
  // A link that is faster than its round trip cannot be told exactly, but never as endless.
  assert.ok(rate(32_000, 600, 600) < 5000);
});

test("what an uplink will do is said in four words", () => {
  assert.deepEqual([20, 60, 200, 900].map(verdict), ["poor", "voice", "fair", "good"]);
});

test("silence is nothing, a voice is in the middle, noise is full", () => {
  assert.equal(loudness(new Float32Array(960)), 0);
  const voice = loudness(Float32Array.from({ length: 960 }, (_, at) => 0.05 * Math.sin(at / 7)));
  assert.ok(voice > 0.4 && voice < 0.8, String(voice));
  assert.equal(loudness(new Float32Array(960).fill(1)), 1);
});

test("times of sound are counted, and set anew only after a pause", () => {
  const clock = new SampleClock();
  const first = clock.stamp(1_000_000);
  assert.equal(first, 980_000);
  assert.ok(clock.jumped);
  // Blocks arrive two at a time, and late: their times do not tremble.
  assert.deepEqual(
    [1_045_000, 1_046_000].map((now) => clock.stamp(now)),
    [1_000_000, 1_020_000],
  );
  assert.ok(!clock.jumped);
  assert.equal(clock.stamp(9_000_000), 8_980_000);
  assert.ok(clock.jumped);
});
