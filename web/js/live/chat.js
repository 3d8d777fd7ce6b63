// @ts-check
/** What people write. */

import { element, field, form, keyed, place, show, typed, write } from "./dom.js";
import { groupShown, leads, myself } from "./state.js";

/** @typedef {import("./room.js").ChatLine} ChatLine */

/** The list follows the newest message while its end is in sight. */
const NEAR_END_PX = 60;

/** @param {import("./types.js").Context} context */
export function mountChat({ root, room, words }) {
  const list = place(root, "chat");
  const box = form(root, "say");
  const hint = place(root, "chat-hint");
  if (!list || !box) return;
  const input = field(box, "text");
  // Whoever is silenced now may be allowed to write later.
  show(box, true);

  box.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    const { state } = room;
    if (!text || !state) return;
    if (room.do({ type: "chat", text, group: groupShown(state) })) input.value = "";
    list.scrollTop = list.scrollHeight;
  });

  room.onChange((state) => {
    const me = myself(state);
    const leading = leads(me);
    const may = leading || (state.chat_open && !me?.muted && me?.role !== "observer");
    const closed = state.ended || state.waiting || !may;
    for (const each of box.querySelectorAll("input, textarea, button"))
      each.toggleAttribute("disabled", closed);
    write(hint, hintOf(state.ended, state.chat_open, me?.muted === true, leading, words));
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
    const waiting = room.box.pending("chat").map((act, index) => ({
      sequence: -1 - index,
      at_ms: 0,
      by: state.me,
      name: me?.name ?? "",
      text: act.text,
      group: act.group,
    }));
    const said = [...state.chat, ...waiting];
    // A leader reads all groups' messages among the others, or those of the one that is looked at.
    const read = leading && state.looking !== null ? said.filter((line) => line.group === state.looking) : said;
    keyed(list, read, keyOf, (line) => row(line, state.me, leading, words, room));
    if (atEnd) list.scrollTop = list.scrollHeight;
    show(place(root, "chat-empty"), read.length === 0);
  });
}

/** @param {ChatLine} line */
function keyOf(line) {
  return line.sequence < 0 ? `w${line.sequence}${line.text}` : String(line.sequence);
}

/**
 * @param {ChatLine} line @param {string} me @param {boolean} leading
 * @param {import("./dom.js").Words} words @param {import("./classroom.js").Classroom} room
 */
function row(line, me, leading, words, room) {
  const made = element("p", line.by === me ? "own" : "");
  made.append(typed("who", line.name), " ");
  if (line.group !== null && line.group !== undefined) {
    made.append(element("span", "badge", words.say("group-number", { number: line.group + 1 })), " ");
  }
  made.append(typed("said", line.text));
  if (line.sequence < 0) made.append(" ", element("span", "hint", words.say("sending")));
  else if (leading) {
    const hide = element("button", "quiet small", words.say("hide"));
    hide.type = "button";
    hide.setAttribute("aria-label", words.say("hide-whose", { name: line.name }));
    hide.addEventListener("click", () => room.do({ type: "hide_chat", sequence: line.sequence }));
    made.append(" ", hide);
  }
  return made;
}

/**
 * @param {boolean} ended
 * @param {boolean} open
 * @param {boolean} muted
 * @param {boolean} leading
 * @param {import("./dom.js").Words} words
 */
function hintOf(ended, open, muted, leading, words) {
  if (ended) return words.say("chat-ended");
  if (leading) return open ? "" : words.say("chat-leaders");
  if (!open) return words.say("chat-leaders");
  return muted ? words.say("chat-muted") : "";
}
