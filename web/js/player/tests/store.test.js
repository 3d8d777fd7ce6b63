import assert from "node:assert/strict";
import { test } from "node:test";

import { Lane, MOST_BYTES, chooseLanes } from "../store.js";

/** Chunk `index` of 2 s, four to a segment of 8 s. */
function chunk(index, { lane = "video", rendition = 1, epoch = 1, last = false, gap = false, bytes = 10 } = {}) {
  const part = index % 4;
  return {
    kind: "chunk",
    lane,
    rendition,
    keyframe: lane === "audio" || part === 0,
    first: part === 0,
    last,
    gap,
    epoch,
    sequence: Math.floor(index / 4),
    part,
    startMs: index * 2000,
    endMs: index * 2000 + 2000,
    payload: new Uint8Array(bytes),
  };
}

function lane(name, indexes, options = {}) {
  const filled = new Lane(name);
  for (const index of indexes) filled.add(chunk(index, { lane: name, ...options }));
  return filled;
}

const range = (from, until) => Array.from({ length: until - from }, (_, index) => from + index);
const starts = (filled) => filled.chunks.map((each) => [each.startMs, each.rendition]);

test("what is stored ahead counts only from a place where a decoder may start", () => {
  const video = lane("video", range(0, 6));
  assert.equal(video.aheadMs(3000), 9000);
  assert.equal(video.aheadMs(12_000), 0);
  assert.equal(lane("video", [1, 2, 3]).aheadMs(3000), 0);
  assert.equal(lane("audio", [1, 2, 3]).aheadMs(3000), 5000);
});

test("a hole ends what can be played", () => {
  assert.equal(lane("audio", [0, 1, 3, 4]).aheadMs(0), 4000);
  // The group of pictures is broken until its next keyframe.
  const video = lane("video", [0, 1, 3, 4]);
  assert.equal(video.aheadMs(0), 4000);
  assert.equal(video.aheadMs(8000), 2000);
});

test("a chunk that comes twice is stored once", () => {
  const video = lane("video", [0, 1, 2, 1, 0]);
  assert.deepEqual(starts(video), [[0, 1], [2000, 1], [4000, 1]]);
});

test("chunks that come out of order are stored in order", () => {
  assert.deepEqual(starts(lane("audio", [2, 0, 1])), [[0, 1], [2000, 1], [4000, 1]]);
});

test("another rung replaces what was stored from its segment on", () => {
  const video = lane("video", range(0, 8));
  video.add(chunk(4, { rendition: 2 }));
  assert.deepEqual(starts(video).slice(3), [[6000, 1], [8000, 2]]);
  assert.equal(video.aheadMs(0), 10_000);
});

test("resumes behind the newest chunk only if all up to it is stored", () => {
  const video = lane("video", range(0, 6));
  assert.equal(video.resumable(1000).startMs, 10_000);
  assert.equal(video.resumable(12_000).startMs, 10_000, "played to its very end");
  assert.equal(video.resumable(30_000), null, "the head has gone elsewhere");
  assert.equal(lane("video", [0, 1, 8]).resumable(0), null, "a hole in between");
  assert.equal(new Lane("video").resumable(0), null);
});

test("what the server left out for good is no reason to ask again, but nothing to play either", () => {
  const video = lane("video", [0, 1]);
  video.add(chunk(8, { gap: true }));
  assert.equal(video.resumable(0).startMs, 16_000);
  assert.equal(video.aheadMs(0), 4000);
  assert.equal(video.startAfter(4000, 1), 16_000);
  assert.equal(video.startAfter(16_000, 1), undefined);
  // After a seek the flag tells nothing of what is stored from before.
  const sought = lane("video", [0, 1]);
  sought.add(chunk(8, { gap: true, epoch: 2 }));
  assert.equal(sought.resumable(0), null);
});

test("what is stored from before is no way over a hole that the server is about to fill", () => {
  const video = lane("video", range(40, 48));
  // A step back: first nothing has come from there, then a little.
  assert.equal(video.startAfter(20_000, 2), undefined);
  video.add(chunk(8, { epoch: 2 }));
  assert.equal(video.startAfter(10_000, 2), 16_000);
  assert.equal(video.startAfter(20_000, 2), undefined);
});

test("live, the picture gives way and comes back sooner", () => {
  const now = { current: "both", hasAudio: true, hasVideo: true, expectVideo: true, audioMs: 1500, videoMs: 0, waitedMs: 0, drops: 0, nearEnd: false };
  assert.equal(chooseLanes(now), "both");
  assert.equal(chooseLanes({ ...now, scarcity: 0.2 }), "audio");
  const back = { ...now, current: "audio", videoMs: 1300, drops: 1, scarcity: 0.2 };
  assert.equal(chooseLanes(back), "both");
  assert.equal(chooseLanes({ ...back, scarcity: 1 }), "audio");
});

test("it is complete when the last chunk and all before it are there", () => {
  const audio = lane("audio", range(0, 5));
  assert.equal(audio.complete(0), false);
  audio.add(chunk(6, { lane: "audio", last: true }));
  assert.equal(audio.complete(0), false);
  audio.add(chunk(5, { lane: "audio" }));
  assert.equal(audio.complete(0), true);
});

test("the browser is fed from the head's segment on, and again after a removal", () => {
  const video = lane("video", range(0, 8));
  assert.equal(video.next(9000).startMs, 8000);
  for (const each of video.chunks) each.appended = true;
  assert.equal(video.next(9000), undefined);
  video.chunks[1].appended = false;
  assert.equal(video.next(9000), undefined, "what lies behind is not wanted");
  assert.equal(video.next(3000).startMs, 2000);
});

test("a better picture takes the place of what is stored, from a segment on, as it arrives", () => {
  const video = lane("video", range(0, 12));
  assert.equal(video.segmentAfter(5000), 8000);
  assert.equal(video.segmentAfter(17_000), undefined);
  assert.equal(video.aheadMs(5000), 19_000);
  video.add(chunk(4, { rendition: 2, epoch: 2 }));
  video.add(chunk(5, { rendition: 2, epoch: 2 }));
  assert.equal(video.aheadMs(5000), 7000);
  assert.deepEqual(video.chunks.map((each) => each.rendition), [1, 1, 1, 1, 2, 2]);
});

test("the store is bounded: far behind goes first, near the head nothing", () => {
  const bytes = MOST_BYTES / 3 / 40;
  const video = lane("video", range(0, 60), { bytes });
  video.trim(70_000);
  assert.ok(video.bytes() <= MOST_BYTES / 3);
  assert.ok(video.chunks[0].startMs <= 50_000);
  assert.equal(video.aheadMs(70_000), 50_000);
  const near = lane("video", range(0, 60), { bytes });
  near.trim(0);
  assert.equal(near.chunks.length, 60, "all of it is within reach: acknowledging stops instead");
});

const now = {
  current: "none", hasAudio: true, hasVideo: true, expectVideo: true,
  audioMs: 0, videoMs: 0, waitedMs: 0, drops: 0, nearEnd: false,
};

test("sound starts alone when the picture is late, and the picture joins", () => {
  assert.equal(chooseLanes(now), "none");
  assert.equal(chooseLanes({ ...now, audioMs: 2000 }), "none");
  assert.equal(chooseLanes({ ...now, audioMs: 2000, videoMs: 2000 }), "both");
  assert.equal(chooseLanes({ ...now, audioMs: 2000, waitedMs: 5000 }), "audio");
  assert.equal(chooseLanes({ ...now, audioMs: 2000, expectVideo: false }), "audio");
  assert.equal(chooseLanes({ ...now, current: "audio", audioMs: 9000, videoMs: 1000 }), "audio");
  assert.equal(chooseLanes({ ...now, current: "audio", audioMs: 9000, videoMs: 5000 }), "both");
});

test("sound goes on when the picture runs out, and asks for more each time before it returns", () => {
  const both = { ...now, current: "both", audioMs: 9000 };
  assert.equal(chooseLanes({ ...both, videoMs: 3000 }), "both");
  assert.equal(chooseLanes(both), "audio");
  assert.equal(chooseLanes({ ...both, nearEnd: true }), "both");
  const again = { ...now, current: "audio", audioMs: 9000, videoMs: 5000, drops: 1 };
  assert.equal(chooseLanes(again), "audio");
  assert.equal(chooseLanes({ ...again, videoMs: 9000 }), "both");
});

test("a timeline of one lane plays that lane", () => {
  assert.equal(chooseLanes({ ...now, hasVideo: false }), "audio");
  assert.equal(chooseLanes({ ...now, hasAudio: false }), "video");
});

test("pictures whose group spans segments are handed over from its keyframe", () => {
  const stills = new Lane("video");
  for (const index of range(0, 16)) stills.add({ ...chunk(index), keyframe: index % 16 === 0 });
  // Into the third segment: what lies before it is needed to decode it.
  assert.equal(stills.segmentStart(21_000), 0);
  assert.equal(stills.next(21_000).startMs, 0);
  assert.equal(stills.segmentAfter(9000), undefined);
});
