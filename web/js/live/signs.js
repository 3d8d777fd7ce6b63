// @ts-check
/** Quick signs and what stands at the top: hand, reactions, floor, announcement, timer, state of the class. */

import { clock } from "../player/controls.js";
import { button, element, keyed, onClick, place, show, write } from "./dom.js";
import { groupOf, leads, myself } from "./state.js";

/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./room.js").Reaction} Reaction */

/** Own signs come in bursts; the room hears one at a time. */
const REACT_EVERY_MS = 1500;
/** The others' signs fade when no newer ones come. */
const FADE_MS = 6000;
/** The timer is spoken of when so much is left. */
const RINGS_S = [60, 10, 0];

/** @param {Context} context */
export function mountSigns(context) {
  const { root, room, words, tell } = context;
  const hand = button(root, "hand");
  let speaks = false;
  hand?.addEventListener("click", () => {
    if (!room.state) return;
    room.do({ type: "hand", up: !handUp(room, room.state) });
  });
  mountReactions(context);
  mountTimer(context);
  room.onChange((state, before) => {
    const me = myself(state);
    const up = handUp(room, state);
    hand?.setAttribute("aria-pressed", String(up));
    for (const each of hand?.querySelectorAll("[data-when]") ?? [])
      show(each, (each.getAttribute("data-when") === "up") === up);
    hand?.toggleAttribute("disabled", state.ended || state.waiting || me?.role === "observer");
    show(place(root, "reactions"), !state.ended && me?.role !== "observer");
    const floor = me?.floor === true && !leads(me);
    show(place(root, "floor"), floor);
    if (floor && !speaks) {
      speaks = true;
      void import("./floor.js").then(({ mountFloor }) => mountFloor(context));
    }
    const said = place(root, "announcement");
    show(said, state.announcement !== "");
    write(said, state.announcement);
    const group = groupOf(state.groups, state.me);
    const mates = group === null ? [] : (state.groups[group] ?? []).filter((each) => each !== state.me);
    const names = mates.map((id) => state.people.find((each) => each.id === id)?.name ?? "").join("、");
    show(place(root, "group"), group !== null);
    write(place(root, "group"), group === null ? "" : words.say("group-yours", { number: group + 1, names }));
    const key = stateKey(state);
    root.dataset.state = key;
    const badge = place(root, "state");
    if (badge) badge.className = `badge class-state ${key}`;
    write(badge, words.say(`state-${key}`));
    show(place(root, "waiting"), state.waiting);
    show(place(root, "inside"), !state.waiting && !state.removed);
    show(place(root, "over"), state.ended || state.removed);
    write(place(root, "over"), state.removed ? words.say("removed") : state.ended ? words.say("over") : "");
    if (!before) return;
    if (before.host_present && !state.host_present && !state.ended) tell(words.say("host-lost"));
    if (!before.host_present && state.host_present) tell(words.say("host-back"));
    if (me?.floor && !myself(before)?.floor) tell(words.say("floor-given"));
    // The desk comes with the page.
    if (leads(me) && !leads(myself(before)) && !place(root, "desk")) tell(words.say("leads-now"));
    if (before.waiting && !state.waiting) tell(words.say("admitted"));
    if (me?.muted && !myself(before)?.muted) tell(words.say("chat-muted"));
  });
}

/** @param {RoomState} state */
function stateKey(state) {
  if (state.ended || state.removed) return "ended";
  if (state.waiting) return "waiting";
  return state.host_present ? "live" : "quiet";
}

/**
 * As it will be once what waits is done.
 * @param {import("./classroom.js").Classroom} room
 * @param {RoomState} state
 */
function handUp(room, state) {
  const waiting = room.box.pending("hand");
  const last = waiting[waiting.length - 1];
  return last ? last.up : (myself(state)?.hand_ms ?? null) !== null;
}

/** @param {Context} context */
function mountReactions({ root, room, words }) {
  const bar = place(root, "reactions");
  const seen = place(root, "reactions-seen");
  let sentAt = -Infinity;
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (bar?.querySelectorAll("[data-react]") ?? [])) {
    each.addEventListener("click", () => {
      const now = performance.now();
      each.classList.add("sent");
      setTimeout(() => each.classList.remove("sent"), 600);
      if (now - sentAt < REACT_EVERY_MS) return;
      sentAt = now;
      room.do({ type: "react", reaction: /** @type {Reaction} */ (each.dataset.react) });
    });
  }
  let fade = 0;
  room.onChange((state, before) => {
    if (before?.reactions === state.reactions) return;
    clearTimeout(fade);
    fade = setTimeout(() => keyed(seen, [], String, () => element("li")), FADE_MS);
    const counts = state.reactions.filter(([, count]) => count > 0);
    keyed(
      seen,
      counts,
      ([reaction]) => reaction,
      () => element("li", "badge"),
      (row, [reaction, count]) => write(row, words.say(`reaction-${reaction}`, { count })),
    );
  });
}

/** @param {Context} context */
function mountTimer({ root, room, playback, words, tell }) {
  const shown = place(root, "timer");
  let before = Infinity;
  const tick = () => {
    const until = room.state?.timer_until_ms ?? null;
    const left = until === null ? null : Math.ceil((until - playback.nowMs()) / 1000);
    const visible = left !== null && left > -10 && !room.state?.ended;
    show(shown, visible);
    if (!visible || left === null) {
      before = Infinity;
      return;
    }
    write(shown, words.say("timer-left", { time: clock(Math.max(0, left) * 1000) }));
    const rings = RINGS_S.find((seconds) => left <= seconds && before > seconds && before !== Infinity);
    if (rings !== undefined) tell(words.say(rings === 0 ? "timer-over" : "timer-rings", { seconds: rings }));
    before = left;
  };
  setInterval(tick, 500);
}
