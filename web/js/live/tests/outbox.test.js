import assert from "node:assert/strict";
import { test } from "node:test";

import { ActBox } from "../outbox.js";

/** A box with a clock and a link under the test's hand. */
function fixture() {
  const world = { now: 1000, open: true, sent: [] };
  const send = (request) => {
    if (world.open) world.sent.push(request.act.type);
    return world.open;
  };
  return { world, box: new ActBox(send, () => world.now) };
}

test("an act goes at once and waits for its answer", () => {
  const { world, box } = fixture();
  const id = box.do({ type: "hand", up: true });
  assert.deepEqual(world.sent, ["hand"]);
  assert.equal(box.pending("hand").length, 1);
  assert.deepEqual(box.settle(id, null), { type: "hand", up: true });
  assert.equal(box.settle(id, null), null);
  assert.equal(box.pending("hand").length, 0);
});

test("after a cut all that was not answered goes again, in order, with the same ids", () => {
  const { world, box } = fixture();
  box.do({ type: "hand", up: true });
  world.open = false;
  box.do({ type: "chat", text: "a", group: null });
  assert.deepEqual(world.sent, ["hand"]);
  world.open = true;
  box.resend();
  assert.deepEqual(world.sent, ["hand", "hand", "chat"]);
});

test("what is of no use when late is given up", () => {
  const { world, box } = fixture();
  world.open = false;
  box.do({ type: "react", reaction: "yes" });
  box.do({ type: "point", x: 1, y: 1 });
  box.do({ type: "chat", text: "a", group: null });
  world.now += 4000;
  world.open = true;
  box.resend();
  assert.deepEqual(world.sent, ["chat"]);
});

test("a fault of the server is asked again a little later; a refusal is final", () => {
  const { world, box } = fixture();
  const id = box.do({ type: "answer", poll: "p", option: 0 });
  assert.equal(box.settle(id, "try_again"), null);
  world.now += 1000;
  box.tick();
  assert.equal(world.sent.length, 1);
  world.now += 1500;
  box.tick();
  assert.equal(world.sent.length, 2);
  assert.deepEqual(box.settle(id, "closed"), { type: "answer", poll: "p", option: 0 });
  world.now += 60_000;
  box.tick();
  assert.equal(world.sent.length, 2);
});

test("no more waits than a person can have meant", () => {
  const { box } = fixture();
  for (let count = 0; count < 200; count += 1) assert.ok(box.do({ type: "hand", up: true }));
  assert.equal(box.do({ type: "hand", up: true }), null);
});
