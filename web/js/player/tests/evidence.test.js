import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_WAITING, Meter, Outbox, makeUuid, storageShelf } from "../evidence.js";

/** A meter and what it hands over, without the ids. */
function measured() {
  const intervals = [];
  const meter = new Meter((interval) => intervals.push(interval));
  const spans = () => intervals.map((each) => [each.from_ms, each.until_ms, each.rate_permille]);
  return { meter, intervals, spans };
}

/** Plays evenly, looked at four times a second; `wall` goes on from `startWall`. */
function play(meter, fromMs, untilMs, rate = 1, startWall = 0) {
  for (let at = fromMs; at <= untilMs; at += 250 * rate) {
    meter.advance(at, startWall + (at - fromMs) / rate, rate);
  }
}

test("even play is handed over in pieces that join", () => {
  const { meter, spans } = measured();
  play(meter, 0, 25_000);
  meter.close();
  assert.deepEqual(spans(), [[0, 10_000, 1000], [10_000, 20_000, 1000], [20_000, 25_000, 1000]]);
});

test("a seek splits: what was jumped over is not claimed", () => {
  const { meter, spans } = measured();
  play(meter, 0, 3000);
  play(meter, 40_000, 42_000, 1, 3250);
  meter.close();
  assert.deepEqual(spans(), [[0, 3000, 1000], [40_000, 42_000, 1000]]);
});

test("a step back splits, and the part seen twice is told twice", () => {
  const { meter, spans } = measured();
  play(meter, 5000, 8000);
  play(meter, 6000, 7000, 1, 3250);
  meter.close();
  assert.deepEqual(spans(), [[5000, 8000, 1000], [6000, 7000, 1000]]);
});

test("media time that outruns the clock is not counted", () => {
  const { meter, spans } = measured();
  meter.advance(0, 0, 1);
  for (let at = 1; at <= 20; at += 1) meter.advance(at * 5000, at * 250, 1);
  meter.close();
  assert.deepEqual(spans(), []);
});

test("each speed has its own interval with its rate", () => {
  const { meter, spans } = measured();
  play(meter, 0, 2000);
  play(meter, 2000, 4500, 1.25, 2000);
  meter.close();
  assert.deepEqual(spans(), [[0, 2000, 1000], [2000, 4500, 1250]]);
});

test("a pause ends an interval where the element stopped", () => {
  const { meter, spans } = measured();
  const media = { readyState: 4, seeking: false, paused: false, currentTime: 1, playbackRate: 1 };
  meter.look(media, 0);
  meter.look({ ...media, currentTime: 1.9 }, 900);
  meter.look({ ...media, currentTime: 2, paused: true }, 1000);
  meter.look({ ...media, currentTime: 2, paused: true }, 9000);
  assert.deepEqual(spans(), [[1000, 2000, 1000]]);
});

test("a flush hands over and goes on without counting twice", () => {
  const { meter, spans } = measured();
  play(meter, 0, 2000);
  meter.flush();
  play(meter, 2250, 4000, 1, 2250);
  meter.close();
  assert.deepEqual(spans(), [[0, 2000, 1000], [2000, 4000, 1000]]);
});

test("every interval has its own UUID of version 4", () => {
  const { meter, intervals } = measured();
  play(meter, 0, 30_000);
  const ids = intervals.map((each) => each.id);
  assert.equal(new Set(ids).size, 3);
  for (const id of [...ids, makeUuid()]) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

/** The part of `Storage` that the shelf uses. */
class FakeStorage {
  map = new Map();
  get length() { return this.map.size; }
  key(index) { return [...this.map.keys()][index] ?? null; }
  getItem(key) { return this.map.get(key) ?? null; }
  setItem(key, value) { this.map.set(key, value); }
  removeItem(key) { this.map.delete(key); }
}

const interval = (from_ms) => ({ id: makeUuid(), from_ms, until_ms: from_ms + 1000, rate_permille: 1000 });

test("what was not settled is there after a reload, for the same learner and timeline alone", async () => {
  const storage = new FakeStorage();
  const open = async (learner, timeline = "t1") => {
    const outbox = new Outbox(learner, timeline, Promise.resolve(storageShelf(storage)));
    await outbox.ready;
    return outbox;
  };
  const [one, two] = [interval(5000), interval(1000)];
  const before = await open("ann");
  before.put(one);
  before.put(two);
  assert.deepEqual((await open("ann")).list(50), [two, one]);
  assert.deepEqual((await open("bob")).list(50), []);
  assert.deepEqual((await open("ann", "t2")).list(50), []);
  assert.deepEqual(await (await open("ann", "t2")).ready, ["t1"], "another lesson's page hands it in");
  assert.deepEqual(await (await open("bob")).ready, []);
  before.settle([one.id]);
  assert.deepEqual((await open("ann")).list(50), [two]);
});

test("what was measured before the shelf opened is put on it", async () => {
  const storage = new FakeStorage();
  const early = interval(0);
  const outbox = new Outbox("ann", "t1", Promise.resolve(storageShelf(storage)));
  outbox.put(early);
  await outbox.ready;
  assert.equal(storage.length, 1);
  assert.deepEqual(outbox.list(50), [early]);
});

test("a full disk and a missing shelf lose nothing while the page lives", async () => {
  const storage = new FakeStorage();
  storage.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
  for (const shelf of [storageShelf(storage), null]) {
    const outbox = new Outbox("ann", "t1", Promise.resolve(shelf));
    await outbox.ready;
    const kept = interval(0);
    outbox.put(kept);
    assert.deepEqual(outbox.list(50), [kept]);
  }
});

test("the outbox is bounded: the oldest gives way", async () => {
  const outbox = new Outbox("ann", "t1", Promise.resolve(null));
  await outbox.ready;
  for (let at = 0; at <= MAX_WAITING; at += 1) outbox.put(interval(at * 1000));
  const listed = outbox.list(MAX_WAITING + 10);
  assert.equal(listed.length, MAX_WAITING);
  assert.equal(listed[0].from_ms, 1000);
});
