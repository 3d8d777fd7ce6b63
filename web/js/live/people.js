// @ts-check
/** Who is here: for all a list, for leaders also hands, floor, how each follows, and moderation. */

import { element, keyed, place, show, typed, write } from "./dom.js";
import { hands, leads, myself } from "./state.js";

/** @typedef {import("./room.js").Person} Person */
/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").RoomState} RoomState */

/** @param {Context} context */
export function mountPeople(context) {
  const { root, room, words } = context;
  const list = place(root, "people");
  const waits = place(root, "waits");
  const count = place(root, "people-count");
  let heard = new Set();
  room.onChange((state, before) => {
    const same =
      before &&
      before.people === state.people &&
      before.waits === state.waits &&
      before.followers === state.followers;
    if (same) return;
    const leading = leads(myself(state));
    const here = state.people.filter((each) => each.present).length;
    write(count, words.say("people-here", { count: here }));
    keyed(
      list,
      ordered(state),
      (each) => each.id,
      (each) => row(context, each, leading),
      (line, each) => update(context, line, each, state, leading),
    );
    show(place(root, "waits-box"), state.waits.length > 0);
    keyed(
      waits,
      state.waits,
      (each) => each.id,
      (each) => waiting(context, each),
    );
    if (!leading) return;
    // A teacher who looks elsewhere hears of a hand once.
    const up = hands(state);
    const fresh = up.filter((each) => !heard.has(each.id)).pop();
    if (fresh) context.tell(words.say("hands-up", { count: up.length, name: fresh.name }));
    heard = new Set(up.map((each) => each.id));
  });
}

/** Leaders, then hands in their order, then who is here, then who has gone. @param {RoomState} state */
function ordered(state) {
  const up = hands(state);
  const rank = (/** @type {Person} */ each) => {
    if (leads(each)) return 0;
    if (each.floor) return 1;
    if (up.includes(each)) return 2;
    return each.present ? 3 : 4;
  };
  return [...state.people].sort(
    (a, b) => rank(a) - rank(b) || (a.hand_ms ?? 0) - (b.hand_ms ?? 0) || a.name.localeCompare(b.name),
  );
}

/** @param {Context} context @param {Person} person @param {boolean} leading */
function row({ words, room }, person, leading) {
  const line = element("li", "person");
  const name = typed("who", person.name);
  const badges = element("span", "badges");
  const follow = element("span", "hint follow");
  line.append(name, badges, follow);
  if (!leading) return line;
  const menu = element("details", "menu");
  const summary = element("summary", "", "⋯");
  summary.setAttribute("aria-label", words.say("person-menu", { name: person.name }));
  menu.append(summary);
  /** @param {string} act @param {() => import("./room.js").Act} make */
  const offer = (act, make) => {
    const made = element("button", "", words.say(`person-${act}`));
    made.type = "button";
    made.dataset.offer = act;
    made.addEventListener("click", () => {
      if (act === "remove" && !confirm(words.say("person-remove-sure", { name: person.name }))) return;
      room.do(make());
      menu.open = false;
    });
    menu.append(made);
  };
  const who = person.id;
  offer("give-floor", () => ({ type: "give_floor", to: who }));
  offer("take-floor", () => ({ type: "take_floor", from: who }));
  offer("mute", () => ({ type: "mute", who, on: true }));
  offer("unmute", () => ({ type: "mute", who, on: false }));
  offer("co-host", () => ({ type: "set_role", who, role: "co_host" }));
  offer("learner", () => ({ type: "set_role", who, role: "learner" }));
  offer("observer", () => ({ type: "set_role", who, role: "observer" }));
  offer("remove", () => ({ type: "remove", who }));
  line.append(menu);
  return line;
}

/**
 * @param {Context} context
 * @param {HTMLElement} line
 * @param {Person} person
 * @param {RoomState} state
 * @param {boolean} leading
 */
function update({ words }, line, person, state, leading) {
  line.classList.toggle("away", !person.present);
  /** @type {string[]} */
  const marks = [];
  if (person.role !== "learner") marks.push(`role-${person.role}`);
  if (person.hand_ms !== null) marks.push("hand");
  if (person.floor) marks.push("floor");
  if (person.muted) marks.push("muted");
  if (!person.present) marks.push("away");
  const badges = /** @type {HTMLElement} */ (line.querySelector(".badges"));
  keyed(
    badges,
    marks,
    (mark) => mark,
    (mark) => element("span", `badge ${mark}`, words.say(`badge-${mark}`)),
  );
  const follower =
    leading && person.present ? state.followers.find((each) => each.who === person.id) : undefined;
  write(line.querySelector(".follow"), follower ? followWords(follower, words) : "");
  line.classList.toggle("stuck", follower?.stuck === true);
  if (!leading) return;
  const me = myself(state);
  const mine = person.id === state.me;
  const above = !mine && person.role !== "host" && (me?.role === "host" || !leads(person));
  /** @type {Record<string, boolean>} */
  const offers = {
    "give-floor": !person.floor && person.present && !mine && !leads(person) && person.role !== "observer",
    "take-floor": person.floor,
    mute: above && !person.muted,
    unmute: above && person.muted,
    "co-host": above && me?.role === "host" && person.role !== "co_host",
    learner: above && person.role !== "learner",
    observer: above && person.role !== "observer",
    remove: above,
  };
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (line.querySelectorAll("[data-offer]"))) {
    show(each, offers[each.dataset.offer ?? ""] === true);
  }
  show(line.querySelector("details"), Object.values(offers).some(Boolean));
}

/** @param {import("./room.js").Follower} follower @param {import("./dom.js").Words} words */
function followWords({ rung, behind_ms, stuck, minutes }, words) {
  const values = { rung: rungWords(rung, words), seconds: Math.round(behind_ms / 1000), minutes };
  if (stuck) return words.say("follow-stuck", values);
  return words.say(rung ? "follow-plays" : "follow-reads", values);
}

/** @param {string} rung id: `audio`, `s360`, `v144` … @param {import("./dom.js").Words} words */
function rungWords(rung, words) {
  const [, kind, height] = /^([sv])(\d+)$/.exec(rung) ?? [];
  if (kind === "v") return words.say("rung-video", { height: height ?? "" });
  return words.say(kind === "s" ? "rung-stills" : "rung-audio");
}

/** @param {Context} context @param {Person} person */
function waiting({ words, room }, person) {
  const line = element("li", "person");
  const admit = element("button", "main", words.say("person-admit"));
  const refuse = element("button", "", words.say("person-refuse"));
  admit.type = "button";
  refuse.type = "button";
  admit.addEventListener("click", () => room.do({ type: "admit", who: person.id }));
  refuse.addEventListener("click", () => room.do({ type: "remove", who: person.id }));
  line.append(typed("who", person.name), admit, refuse);
  return line;
}
