import assert from "node:assert/strict";
import { test } from "node:test";

import { Latency, edgeNow, overHole } from "../latency.js";

const calm = { edgeMs: 100_000, headMs: 98_000, storedMs: 1800, all: false, runs: true, wallMs: 0 };

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
  for (let minute = 1; minute < 9; minute += 1) steer(latency, { wallMs: 1000 + minute * 61_000 });
  assert.deepEqual(latency.range(), { lowMs: 1000, highMs: 2600 });
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

test("a hole is jumped once what follows is stored in every lane that plays", () => {
  const lane = (aheadMs, startMs, afterMs) => ({ aheadMs, startMs, afterMs: () => afterMs });
  const over = (...lanes) => overHole({ headMs: 10_000, lanes, enoughMs: 1000 });
  assert.equal(over(lane(2000, undefined, 0), lane(2000, 20_000, 0)), null);
  assert.equal(over(lane(0, 20_000, 2000), lane(0, 20_500, 1500)), 20_500);
  assert.equal(over(lane(0, 20_000, 2000), lane(0, 20_500, 400)), null);
  assert.equal(over(lane(0, 20_000, 2000), lane(0, undefined, 0)), null);
  // The picture alone has a hole: the sound already there counts where the picture goes on.
  assert.equal(over(lane(9000, undefined, 4000), lane(0, 14_000, 1200)), 14_000);
});
