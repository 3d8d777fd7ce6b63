import assert from "node:assert/strict";
import { test } from "node:test";

import { decode } from "../lines.js";
import { MOST_POINTS, Pen, encode, simplify } from "../strokes.js";

const through = (points) => encode(points).flatMap(decode);

test("a line reads as it was written", () => {
  const points = [
    [0, 4095],
    [100, 4000],
    [4, 3900],
    [4, 3900 - 127],
  ];
  assert.deepEqual(through(points), [points]);
  assert.equal(encode([[258, 4095]])[0], btoa("\x01\x02\x0f\xff"));
  assert.equal(
    encode([
      [258, 10],
      [257, 12],
    ])[0],
    btoa("\x01\x02\x00\x0a\xff\x02"),
  );
});

test("long steps are walked in several, and end where they should", () => {
  const [line] = through([
    [0, 0],
    [4095, 2000],
  ]);
  assert.deepEqual(line[0], [0, 0]);
  assert.deepEqual(line[line.length - 1], [4095, 2000]);
  for (const [index, [x, y]] of line.entries()) {
    const [fromX, fromY] = line[index - 1] ?? [x, y];
    assert.ok(Math.abs(x - fromX) <= 127 && Math.abs(y - fromY) <= 127);
  }
});

test("what is outside is brought to the border", () => {
  assert.deepEqual(
    through([
      [-5, 9000],
      [3.6, 4090],
    ]),
    [
      [
        [0, 4095],
        [4, 4090],
      ],
    ],
  );
});

test("a piece holds no more than a message may, and the next one joins it", () => {
  const points = Array.from({ length: 1200 }, (_, index) => [index * 3, (index % 2) * 9]);
  const pieces = through(points);
  assert.equal(pieces.length, 3);
  assert.ok(pieces.every((each) => each.length <= MOST_POINTS));
  assert.deepEqual(pieces[1][0], pieces[0][MOST_POINTS - 1]);
  assert.deepEqual(
    pieces.flatMap((each, index) => (index > 0 ? each.slice(1) : each)),
    points,
  );
});

test("nonsense of others is no fault", () => {
  for (const text of ["", "?", "AA==", "AAAA"]) assert.deepEqual(decode(text), []);
  assert.deepEqual(decode(btoa("\x00\x01\x00\x02\x05")), [[[1, 2]]]);
  assert.deepEqual(decode(btoa("\xff\xff\xff\xff")), [[[4095, 4095]]]);
});

test("lines that were joined come apart where the pen was lifted", () => {
  const joined = "\x00\x01\x00\x02\x05\xff" + "\x80\x80" + "\x01\x00\x00\x09\x01\x01";
  assert.deepEqual(decode(btoa(joined)), [
    [
      [1, 2],
      [6, 1],
    ],
    [
      [256, 9],
      [257, 10],
    ],
  ]);
  assert.deepEqual(decode(btoa("\x00\x01\x00\x02\x80\x80\x01")), [[[1, 2]]]);
});

test("simplifying keeps corners and ends and leaves out the rest", () => {
  const straight = Array.from({ length: 100 }, (_, index) => [index * 10, 500]);
  assert.deepEqual(simplify(straight), [
    [0, 500],
    [990, 500],
  ]);
  assert.deepEqual(
    simplify([
      [0, 0],
      [500, 1],
      [1000, 0],
      [1000, 800],
    ]),
    [
      [0, 0],
      [1000, 0],
      [1000, 800],
    ],
  );
  assert.deepEqual(simplify([[7, 7]]), [[7, 7]]);
  const circle = Array.from({ length: 400 }, (_, index) => {
    const angle = (index / 400) * 2 * Math.PI;
    return [2000 + 900 * Math.cos(angle), 2000 + 900 * Math.sin(angle)];
  });
  assert.ok(simplify(circle).length < 80, "four fifths of a circle are superfluous");
});

test("a line being drawn leaves at most every 100 ms, joined and whole", () => {
  const sent = [];
  const pen = new Pen("id", (points) => sent.push(...decode(points)));
  for (let step = 0; step <= 50; step += 1) pen.move([step * 20, (step % 5) * 40], step * 10);
  const before = sent.length;
  pen.flush(500);
  assert.ok(before >= 4 && before <= 6, `${before} messages in half a second`);
  for (const [index, piece] of sent.entries()) {
    if (index > 0) assert.deepEqual(piece[0], sent[index - 1][sent[index - 1].length - 1]);
  }
  assert.deepEqual(sent[sent.length - 1].pop(), [1000, 0]);
});

test("a dot is a line, and standing still is not", () => {
  const sent = [];
  const pen = new Pen("id", (points) => sent.push(...decode(points)));
  pen.move([5, 5], 0);
  pen.move([5, 5], 400);
  pen.flush(500);
  pen.flush(600);
  assert.deepEqual(sent, [[[5, 5]]]);
});
