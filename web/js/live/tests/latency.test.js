import assert from "node:assert/strict";
import { test } from "node:test";

import { Latency, edgeNow, overHole } from "../latency.js";

const calm = { edgeMs: 100_000, headMs: 98_000, storedMs: 1800, needMs: 0, all: false, runs: true, wallMs: 0 };

/** What is decided at this moment. */
const steer = (latency, change) => latency.steer({ ...calm, ...change });

test("inside the range time runs as it is", () => {
  assert.deepEqual(steer(new Latency(), {}), { rate: 1, seekMs: null });
  assert.deepEqual(steer(new Latency(), { headMs: 97_500, storedMs: 2000 }), { rate: 1, seekMs: null });
});

test("behind the range it hurries, until the middle is reached", () => {
  const latency = new Latency();
  assert.equal(steer(latency, { headMs: 96_500, storedMs: 3000 }).rate, 1.05);
  // Back in the range but not yet in its middle: a border would make it flutter.
  assert.equal(steer(latency, { headMs: 97_800, storedMs: 1800 }).rate, 1.05);
  assert.equal(steer(latency, { headMs: 98_300, storedMs: 1400 }).rate, 1);
  assert.equal(steer(latency, { headMs: 97_800, storedMs: 1800 }).rate, 1);
  assert.equal(steer(new Latency(), { headMs: 95_000, storedMs: 4500 }).rate, 1.1);
  assert.equal(steer(new Latency(), { headMs: 90_000, storedMs: 9000 }).rate, 1.25);
});

test("it never hurries through what is not stored", () => {
  assert.equal(steer(new Latency(), { headMs: 92_000, storedMs: 500 }).rate, 1);
});

test("far behind, one jumps to the present and another sees everything", () => {
  const far = { headMs: 40_000, storedMs: 20_000 };
  assert.deepEqual(steer(new Latency(), far), { rate: 1, seekMs: 99_000 });
  assert.deepEqual(steer(new Latency(), { ...far, all: true }), { rate: 1.25, seekMs: null });
});

test("Safari seeks within its store instead, and only when it is worth it", () => {
  const behind = { runs: false, headMs: 92_000, storedMs: 7600 };
  assert.deepEqual(steer(new Latency(), behind), { rate: 1, seekMs: 98_200 });
  assert.deepEqual(steer(new Latency(), { ...behind, storedMs: 2000 }), { rate: 1, seekMs: null });
});

test("stalls ask for distance, calm gives it back, and there is an end to both", () => {
  const latency = new Latency();
  for (let stall = 0; stall < 9; stall += 1) latency.stalled(1000);
  assert.deepEqual(latency.range(), { lowMs: 4000, highMs: 10_400 });
  assert.equal(steer(latency, { headMs: 90_000, storedMs: 9000 }).rate, 1);
  for (let hour = 1; hour < 9; hour += 1) steer(latency, { wallMs: 1000 + hour * 3_600_000 });
  assert.deepEqual(latency.range(), { lowMs: 1000, highMs: 2600 });
});

test("one stall is forgotten after a calm minute, stalls that come back only after longer", () => {
  const latency = new Latency();
  latency.stalled(1000);
  steer(latency, { wallMs: 62_000 });
  assert.equal(latency.stretch, 1);
  latency.stalled(70_000);
  steer(latency, { wallMs: 170_000 });
  assert.equal(latency.stretch, 1.5);
  steer(latency, { wallMs: 191_000 });
  assert.equal(latency.stretch, 1);
});

test("what is stored and never needed is spent on being nearer to the present", () => {
  const latency = new Latency();
  // Between 1500 ms and 900 ms are stored as chunks come: 600 ms more than a steady link needs.
  const at = (wallMs, headMs = wallMs) =>
    steer(latency, { wallMs, headMs, edgeMs: headMs + 1900, storedMs: wallMs % 1000 === 0 ? 1500 : 900 }).rate;
  for (let ms = 0; ms < 8000; ms += 500) assert.equal(at(ms), 1, `at ${ms} ms`);
  assert.equal(at(8000), 1.05);
  assert.equal(at(14_000, 14_300), 1.05);
  assert.equal(at(20_000, 20_600), 1);
});

test("a link that needs what is stored keeps it, and after a stall more of it", () => {
  const latency = new Latency();
  for (let ms = 0; ms < 30_000; ms += 500)
    assert.equal(steer(latency, { wallMs: ms, storedMs: ms % 4000 === 0 ? 350 : 1500 }).rate, 1);
  const stalled = new Latency();
  stalled.stalled(1);
  stalled.stalled(2);
  for (let ms = 0; ms < 30_000; ms += 500)
    assert.equal(steer(stalled, { wallMs: ms, storedMs: 900 }).rate, 1, "within the slack of a wider cushion");
});

test("before nothing is left it runs slower, until the cushion is there again", () => {
  const latency = new Latency();
  assert.equal(steer(latency, { wallMs: 0, headMs: 98_000, storedMs: 100 }).rate, 0.95);
  assert.equal(steer(latency, { wallMs: 1000, headMs: 98_950, storedMs: 400 }).rate, 0.95);
  assert.equal(steer(latency, { wallMs: 4100, headMs: 101_880, edgeMs: 103_800, storedMs: 350 }).rate, 1);
  // Too far from the present it does not go.
  assert.equal(steer(new Latency(), { headMs: 97_300, storedMs: 100 }).rate, 1);
});

test("what shall be shown asks for more than the cushion", () => {
  const latency = new Latency();
  const rates = [0, 1000, 2000].map((wallMs) => steer(latency, { wallMs, storedMs: 800, needMs: 1300 }).rate);
  assert.deepEqual(rates, [1, 1, 0.95]);
});

test("a patient learner begins further back and is never pushed beyond a minute", () => {
  const latency = new Latency();
  latency.choose("steady");
  assert.equal(latency.startMs(100_000), 75_000);
  assert.equal(latency.startMs(10_000), 0);
  latency.choose("patient");
  latency.stalled(0);
  assert.deepEqual(latency.range(), { lowMs: 45_000, highMs: 60_000 });
  latency.choose("unknown");
  assert.equal(latency.name, "patient");
});

test("between two words of the server the end goes on, unless the teacher's media stopped", () => {
  const live = { now_ms: 51_000, edge_ms: 50_000, ended: false };
  assert.equal(edgeNow(live, 2000, 0), 52_000);
  assert.equal(edgeNow(live, 2000, 53_000), 53_000);
  assert.equal(edgeNow(live, 60_000, 0), 56_000);
  assert.equal(edgeNow({ ...live, now_ms: 70_000 }, 2000, 0), 50_000);
  assert.equal(edgeNow({ ...live, ended: true }, 2000, 0), 50_000);
});

/** A lane that has these stretches, each of which begins with a keyframe. @param {...[number, number]} stretches */
const lane = (...stretches) => ({
  aheadMs: (atMs) => (stretches.find(([from, until]) => from <= atMs && atMs < until)?.[1] ?? atMs) - atMs,
  startAfter: (atMs) => stretches.find(([from]) => from > atMs)?.[0],
});

/** Where a head at 10 s goes on. */
const over = (...lanes) => overHole({ headMs: 10_000, epoch: 1, lanes, enoughMs: 1000 });

test("a hole is jumped once what follows is stored in every lane that plays", () => {
  assert.equal(over(lane([8000, 12_000]), lane([8000, 12_000], [20_000, 22_000])), null);
  assert.equal(over(lane([20_000, 23_000]), lane([20_500, 22_000])), 20_500);
  assert.equal(over(lane([20_000, 22_000]), lane([20_500, 20_900])), null);
  assert.equal(over(lane([20_000, 22_000]), lane([8000, 10_000])), null);
  // The picture alone has a hole: the sound already there counts where the picture goes on.
  assert.equal(over(lane([8000, 19_000]), lane([14_000, 15_200])), 14_000);
});

test("where another hole follows too soon, both are jumped", () => {
  assert.equal(over(lane([20_500, 30_000]), lane([20_000, 21_000], [24_000, 26_000])), 24_000);
  assert.equal(over(lane([20_500, 24_200], [25_000, 27_000]), lane([20_000, 21_000], [24_000, 27_000])), 25_000);
  assert.equal(over(lane([20_500, 30_000]), lane([20_000, 21_000], [24_000, 24_600])), null);
});
