import assert from "node:assert/strict";
import { test } from "node:test";

import {
  acted,
  draws,
  fromSnapshot,
  groupOf,
  groupShown,
  hands,
  leads,
  missingPage,
  myself,
  reduce,
  shownPage,
} from "../state.js";

const person = (id, more = {}) => ({
  id,
  name: id.toUpperCase(),
  role: "learner",
  present: true,
  hand_ms: null,
  floor: false,
  muted: false,
  ...more,
});

const snapshot = (more = {}) => ({
  sequence: 10,
  me: "me",
  waiting: false,
  people: [person("me"), person("li", { role: "host" })],
  waits: [],
  chat: [],
  chat_open: true,
  locked: false,
  decks: [],
  slide: null,
  board_page: 0,
  strokes: [],
  polls: [],
  announcement: "",
  timer_until_ms: null,
  groups: [],
  host_present: true,
  ended: false,
  ...more,
});

const event = (sequence, happened, at_ms = sequence * 1000) => ({
  type: "event",
  event: { sequence, at_ms, happened },
});
const done = (sequence, by, act) => event(sequence, { type: "done", by, act });
const run = (messages, state = fromSnapshot(snapshot())) => messages.reduce(reduce, state);

test("nothing is known before the first snapshot, and a newer one replaces all", () => {
  assert.equal(reduce(null, done(1, "li", { type: "announce", text: "x" })), null);
  const room = reduce(null, { type: "room", room: snapshot({ announcement: "one" }) });
  assert.equal(room.announcement, "one");
  assert.equal(reduce(room, { type: "room", room: snapshot({ sequence: 9 }) }).announcement, "");
});

test("what was seen already changes nothing, and holes in the count are normal", () => {
  const state = run([done(15, "li", { type: "announce", text: "new" })]);
  assert.equal(state.sequence, 15);
  assert.equal(reduce(state, done(15, "li", { type: "announce", text: "again" })), state);
  assert.equal(reduce(state, done(12, "li", { type: "announce", text: "late" })), state);
  assert.equal(run([done(40, "li", { type: "lock", on: true })], state).locked, true);
});

test("the chat knows names, hides what a leader hid, and has an end", () => {
  const say = (sequence, text, group = null) => done(sequence, "li", { type: "chat", text, group });
  const state = run([say(11, "hello"), say(12, "rude"), done(13, "li", { type: "hide_chat", sequence: 12 })]);
  assert.deepEqual(state.chat, [
    { sequence: 11, at_ms: 11_000, by: "li", name: "LI", text: "hello", group: null },
  ]);
  const many = Array.from({ length: 300 }, (_, index) => say(20 + index, String(index)));
  assert.equal(run(many).chat.length, 200);
});

test("people come, go, raise hands and get the floor", () => {
  let state = run([
    event(11, { type: "came", person: person("an") }),
    done(12, "an", { type: "hand", up: true }),
    done(13, "me", { type: "hand", up: true }),
  ]);
  assert.deepEqual(
    hands(state).map((each) => each.id),
    ["an", "me"],
  );
  state = run([done(14, "li", { type: "give_floor", to: "an" })], state);
  assert.deepEqual(
    hands(state).map((each) => each.id),
    ["me"],
  );
  assert.equal(state.people.find((each) => each.id === "an").floor, true);
  state = run(
    [event(15, { type: "left", who: "me" }), done(16, "li", { type: "mute", who: "an", on: true })],
    state,
  );
  assert.deepEqual(hands(state), []);
  assert.equal(state.people.find((each) => each.id === "an").floor, false);
  state = run([done(17, "li", { type: "set_role", who: "an", role: "co_host" })], state);
  assert.equal(leads(state.people.find((each) => each.id === "an")), true);
  assert.equal(leads(myself(state)), false);
});

test("who waits is let in or sent away", () => {
  const leader = run([event(11, { type: "waits", person: person("an") })]);
  assert.equal(leader.waits.length, 1);
  assert.equal(run([done(12, "li", { type: "admit", who: "an" })], leader).waits.length, 0);
  assert.equal(run([event(12, { type: "left", who: "an" })], leader).waits.length, 0);
  const outside = fromSnapshot(snapshot({ waiting: true, people: [] }));
  assert.equal(missingPage(outside), null);
  assert.equal(run([done(12, "li", { type: "admit", who: "me" })], outside).waiting, false);
  assert.equal(run([done(12, "li", { type: "remove", who: "me" })]).removed, true);
});

test("a poll is answered, counted and closed", () => {
  const poll = { id: "p", question: "?", options: ["a", "b"], right: null };
  let state = run([done(11, "li", { type: "open_poll", poll })]);
  assert.deepEqual(state.polls, [{ poll, counts: [], own: null, closed: false }]);
  state = acted(state, { type: "answer", poll: "p", option: 1 });
  assert.equal(state.polls[0].own, 1);
  state = run([event(12, { type: "poll_count", poll: "p", counts: [1, 2], right: 1, closed: true })], state);
  assert.deepEqual(state.polls[0], { poll: { ...poll, right: 1 }, counts: [1, 2], own: 1, closed: true });
});

const stroke = (id, points, page = 0) => ({
  type: "draw",
  stroke: { id, page, colour: 1, width: 4, points },
});

test("lines grow by pieces and are taken back", () => {
  let state = run([
    done(11, "li", stroke("a", "AA")),
    done(12, "an", stroke("b", "BB")),
    done(13, "li", stroke("a", "CC")),
  ]);
  assert.deepEqual(
    state.pages[0].lines.map((line) => line.pieces),
    [["AA", "CC"], ["BB"]],
  );
  state = run([done(14, "li", { type: "undo", page: 0, stroke: "a" })], state);
  assert.deepEqual(
    state.pages[0].lines.map((line) => line.id),
    ["b"],
  );
  assert.equal(missingPage(state), null);
  state = run([done(15, "li", { type: "wipe", page: 0 })], state);
  assert.deepEqual(state.pages[0], { lines: [], complete: true });
});

test("a page that is not known whole is asked for", () => {
  let state = run([done(11, "li", { type: "turn_board", page: 3 })]);
  assert.equal(missingPage(state), 3);
  state = run([done(12, "li", stroke("n", "NN", 3))], state);
  assert.equal(missingPage(state), 3);
  const old = { id: "o", page: 3, colour: 0, width: 2, points: "OO" };
  // The answer was made before the line that came meanwhile.
  state = run([{ type: "board", sequence: 11, page: 3, strokes: [old] }], state);
  assert.deepEqual(
    state.pages[3].lines.map((line) => line.id),
    ["o", "n"],
  );
  assert.equal(missingPage(state), null);
  // A line that came joined with others cannot be taken away alone.
  assert.equal(missingPage(run([done(13, "li", { type: "undo", page: 3, stroke: "n" })], state)), null);
  assert.equal(missingPage(run([done(13, "li", { type: "undo", page: 3, stroke: "o" })], state)), 3);
});

test("a small group has a board of its own", () => {
  const state = run([event(11, { type: "groups", members: [["an"], ["me"]] })]);
  assert.equal(groupOf(state.groups, "me"), 1);
  assert.equal(missingPage(state), 1001);
  assert.equal(draws(state), true);
  const leader = run([event(11, { type: "groups", members: [["an"], ["bo"]] })]);
  assert.equal(missingPage(leader), null);
  assert.equal(draws(leader), false);
  const drawn = run(
    [done(12, "me", stroke("a", "AA", 1001)), event(13, { type: "groups", members: [] })],
    state,
  );
  assert.deepEqual([drawn.pages[1001], missingPage(drawn)], [undefined, null]);
});

test("slides, timer, host and end are shown; the unknown is no fault", () => {
  const deck = { id: "d", name: "Water", pages: ["/1", "/2"] };
  const state = run([
    event(11, { type: "deck_added", deck }),
    done(12, "li", { type: "show_slide", deck: "d", page: 1 }),
    done(13, "li", { type: "set_timer", until_ms: 90_000 }),
    event(14, { type: "host", present: false }),
    event(15, { type: "of_tomorrow" }),
    done(16, "li", { type: "of_tomorrow" }),
    event(17, { type: "ended" }),
  ]);
  assert.deepEqual([state.decks, state.slide, state.timer_until_ms], [[deck], ["d", 1], 90_000]);
  assert.deepEqual([state.host_present, state.ended, state.sequence], [false, true, 17]);
  assert.equal(run([done(18, "li", { type: "show_slide", deck: null, page: 0 })], state).slide, null);
});

test("pointer, reactions and followers pass by without a place in the count", () => {
  const state = run([
    { type: "pointer", x: 0, y: 5 },
    { type: "reactions", counts: [["yes", 3]] },
    {
      type: "followers",
      followers: [{ who: "me", rung: "audio", behind_ms: 900, stuck: false, minutes: 2 }],
    },
  ]);
  assert.deepEqual(
    [state.pointer, state.reactions, state.followers.length],
    [{ x: 0, y: 5 }, [["yes", 3]], 1],
  );
  assert.equal(state.sequence, 10);
  assert.equal(run([{ type: "pointer", x: null, y: null }], state).pointer, null);
});

test("a leader looks at a small group, a learner sees the own one alone", () => {
  const groups = [["me", "an"], ["bo"]];
  const leader = { ...fromSnapshot(snapshot({ me: "li", groups })), looking: 1 };
  assert.equal(groupShown(leader), 1);
  assert.equal(shownPage(leader), 1001);
  assert.equal(missingPage(leader), 1001, "its board is asked for");
  assert.ok(draws(leader));
  const learner = { ...fromSnapshot(snapshot({ groups })), looking: 1 };
  assert.equal(shownPage(learner), 1000);
  // What is looked at outlives a new snapshot, and ends with the groups.
  const again = reduce(leader, { type: "room", room: snapshot({ me: "li", groups }) });
  assert.equal(again.looking, 1);
  const ended = reduce(leader, event(20, { type: "groups", members: [] }));
  assert.equal(ended.looking, null);
  assert.equal(shownPage(ended), 0);
});
