import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, megabytes, stateOf, statusOf } from "../controls.js";

const playing = {
  started: true, wanted: true, ended: false, known: true, lostMs: 0, stalledMs: 0,
  storedMs: 20_000, budgetReached: false, atEdge: false, problem: "", notice: "", completed: "",
};

/** State and words together. */
const told = (change) => [stateOf({ ...playing, ...change }), statusOf({ ...playing, ...change })];

test("while all is well nothing is said", () => {
  assert.deepEqual(told({}), ["playing", ""]);
  assert.deepEqual(told({ started: false, wanted: false, known: false }), ["paused", ""]);
});

test("short cuts and stalls are seen but not spoken of", () => {
  assert.deepEqual(told({ lostMs: 500 }), ["cut", ""]);
  assert.deepEqual(told({ lostMs: 5000 }), ["cut", "lost"]);
  assert.deepEqual(told({ lostMs: 5000, storedMs: 0 }), ["cut", "lost-empty"]);
  assert.deepEqual(told({ stalledMs: 500 }), ["waiting", ""]);
  assert.deepEqual(told({ stalledMs: 5000 }), ["waiting", "waiting"]);
  assert.deepEqual(told({ stalledMs: 5000, atEdge: true }), ["waiting", "at-edge"]);
  assert.deepEqual(told({ known: false }), ["connecting", "connecting"]);
});

test("a limit, an end and a problem are told", () => {
  assert.deepEqual(told({ budgetReached: true }), ["playing", "budget-reached"]);
  assert.deepEqual(told({ ended: true }), ["ended", "ended"]);
  assert.deepEqual(told({ ended: true, completed: "completed-lesson" }), ["ended", "completed-lesson"]);
  assert.deepEqual(told({ problem: "decode", lostMs: 5000 }), ["problem", "problem"]);
});

test("sizes and times are written as people read them", () => {
  assert.equal(megabytes(0), 0);
  assert.equal(megabytes(3000), 0.1);
  assert.equal(megabytes(5_240_000), 5.2);
  assert.equal(clock(0), "0:00");
  assert.equal(clock(61_999), "1:01");
  assert.equal(clock(3_723_000), "1:02:03");
});
