import assert from "node:assert/strict";
import { test } from "node:test";

import { Story } from "../story.js";

const person = (id) => ({ id, name: id, role: "learner", present: false, hand_ms: null, floor: false, muted: false });
const stroke = (id, page = 0) => ({ id, page, colour: 0, width: 4, points: "AAAAAA==" });
const piece = (from_ms, room, acts) => ({
  from_ms,
  room: {
    sequence: from_ms,
    people: [person("li")],
    decks: [{ id: "d", name: "bees.pdf", pages: ["/0", "/1"] }],
    slide: null,
    board_page: 0,
    pages: [],
    chat: [],
    announcement: "",
    ...room,
  },
  events: acts.map(([at_ms, act]) => ({ sequence: at_ms + 1, at_ms, happened: { type: "done", by: "li", act } })),
});

function story() {
  const made = new Story([0, 100_000]);
  const show = (page) => ({ type: "show_slide", deck: "d", page });
  made.add(
    0,
    piece(0, { pages: [{ page: 0, strokes: [], alone: [] }] }, [
      [1000, show(0)],
      [2000, { type: "draw", stroke: stroke("a") }],
      [3000, { type: "chat", text: "hello", group: null }],
      [4000, { type: "draw", stroke: stroke("b") }],
      [5000, { type: "undo", page: 0, stroke: "b" }],
      [6000, { type: "announce", text: "Pause" }],
    ]),
  );
  return made;
}

const shown = (state) => ({
  slide: state.slide?.[1] ?? null,
  lines: (state.pages[0]?.lines ?? []).map((line) => line.id),
  chat: state.chat.map((line) => line.text),
});

test("the room is the same at a moment whichever way it was reached", () => {
  const forth = story();
  const moments = [500, 1500, 2500, 4500, 5500, 7000];
  const seen = moments.map((at) => shown(forth.at(at)));
  assert.deepEqual(seen[0], { slide: null, lines: [], chat: [] });
  assert.deepEqual(seen[3], { slide: 0, lines: ["a", "b"], chat: ["hello"] });
  assert.deepEqual(seen[4], { slide: 0, lines: ["a"], chat: ["hello"] });
  for (const [index, at] of [...moments.entries()].reverse())
    assert.deepEqual(shown(forth.at(at)), seen[index], String(at));
  assert.deepEqual(shown(story().at(4500)), seen[3]);
  assert.equal(forth.at(7000)?.announcement, "Pause");
  assert.equal(forth.at(7000)?.chat[0]?.name, "li");
});

test("what did not change stays the same object, so that nothing is painted twice", () => {
  const made = story();
  const before = made.at(2500);
  assert.equal(made.at(2700), before);
  assert.equal(made.at(3500)?.pages, before?.pages);
});

test("a jump needs its own piece alone, and lines that it takes away can be taken", () => {
  const made = new Story([0, 100_000]);
  assert.equal(made.at(120_000), null);
  assert.equal(made.numberAt(99_999), 0);
  const strokes = [stroke("joined"), stroke("apart")];
  const room = { slide: ["d", 1], pages: [{ page: 0, strokes, alone: ["apart"] }] };
  made.add(1, piece(100_000, room, [[130_000, { type: "undo", page: 0, stroke: "apart" }]]));
  assert.deepEqual(shown(made.at(120_000)).lines, ["joined", "apart"]);
  const after = made.at(131_000);
  assert.deepEqual(shown(after), { slide: 1, lines: ["joined"], chat: [] });
  assert.equal(after?.pages[0]?.complete, true);
});
