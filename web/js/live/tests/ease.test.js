import assert from "node:assert/strict";
import { test } from "node:test";

import { atEase, nextPicture } from "../ease.js";

const now = (more) => ({
  wanted: true,
  storedMs: 3000,
  lowMs: 1200,
  calm: true,
  saving: false,
  hidden: false,
  fetching: false,
  ...more,
});

test("a picture is fetched early only while the media misses nothing by it", () => {
  assert.equal(atEase(now()), true);
  assert.equal(atEase(now({ storedMs: 1400 })), false);
  assert.equal(atEase(now({ calm: false })), false);
  assert.equal(atEase(now({ fetching: true })), false);
  assert.equal(atEase(now({ hidden: true })), false);
  // Far behind the present there is more to be stored, and some seconds are enough.
  assert.equal(atEase(now({ lowMs: 20_000, storedMs: 4000 })), false);
  assert.equal(atEase(now({ lowMs: 20_000, storedMs: 6000 })), true);
  assert.equal(atEase(now({ wanted: false, storedMs: 0, calm: false })), true);
});

test("whoever spares data or set a limit gets no picture before its time", () => {
  assert.equal(atEase(now({ saving: true })), false);
  assert.equal(atEase(now({ saving: true, wanted: false })), false);
});

test("the slide on screen comes sharp, and those behind it as large as the link carries pictures", () => {
  const pages = ["/0", "/1", "/2"];
  assert.equal(nextPicture(pages, 0, new Set()), "/0");
  assert.equal(nextPicture(pages, 0, new Set(["/0"])), "/1?small");
  assert.equal(nextPicture(pages, 240, new Set(["/0", "/1?small"])), "/2?small");
  assert.equal(nextPicture(pages, 360, new Set(["/0"])), "/1");
  assert.equal(nextPicture(pages, 360, new Set(["/0", "/1", "/2"])), null);
  assert.equal(nextPicture([], 360, new Set()), null);
});
