// @ts-check
/** What leaders do to the class as a whole: announce, time, doors, chat, groups, end. */

import { button, field, form, onClick, place, show, write } from "./dom.js";

/** @param {import("./types.js").Context} context */
export function mountLead({ root, room, playback, words }) {
  const announce = form(root, "announce");
  announce?.addEventListener("submit", (event) => {
    event.preventDefault();
    room.do({ type: "announce", text: field(announce, "text").value.trim() });
  });
  onClick(root, "announce-clear", () => {
    announce?.reset();
    room.do({ type: "announce", text: "" });
  });
  const timer = form(root, "timer");
  timer?.addEventListener("submit", (event) => {
    event.preventDefault();
    const minutes = Number(field(timer, "minutes").value);
    if (minutes > 0)
      room.do({ type: "set_timer", until_ms: Math.round(playback.nowMs() + minutes * 60_000) });
  });
  onClick(root, "timer-stop", () => room.do({ type: "set_timer", until_ms: null }));
  const groups = form(root, "groups");
  groups?.addEventListener("submit", (event) => {
    event.preventDefault();
    room.do({ type: "open_groups", count: Number(field(groups, "count").value) });
  });
  onClick(root, "groups-close", () => room.do({ type: "close_groups" }));
  onClick(root, "lock", () => room.do({ type: "lock", on: !room.state?.locked }));
  onClick(root, "open-chat", () => room.do({ type: "open_chat", on: !room.state?.chat_open }));
  const look = /** @type {HTMLSelectElement | null} */ (root.querySelector("select[data-choose=look]"));
  look?.addEventListener("change", () => room.look(look.value === "" ? null : Number(look.value)));
  const end = form(root, "end");
  end?.addEventListener("submit", (event) => {
    // The form would do it too; on the socket nobody's page is loaded anew.
    event.preventDefault();
    if (confirm(words.say("end-sure"))) room.do({ type: "end" });
  });
  room.onChange((state) => {
    press(button(root, "lock"), state.locked);
    press(button(root, "open-chat"), !state.chat_open);
    show(button(root, "groups-close"), state.groups.length > 0);
    show(button(root, "timer-stop"), state.timer_until_ms !== null);
    show(button(root, "announce-clear"), state.announcement !== "");
    const named = groupWords(state, words);
    write(place(root, "groups-now"), named.join(" · "));
    show(place(root, "groups-look"), named.length > 0);
    if (look) offer(look, named, state.looking);
  });
}

/** The groups to look at, behind everybody. @param {HTMLSelectElement} look @param {string[]} named @param {number | null} looking */
function offer(look, named, looking) {
  while (look.options.length > named.length + 1) look.options[look.options.length - 1]?.remove();
  for (const [index, name] of named.entries()) {
    const option = look.options[index + 1] ?? look.appendChild(new Option("", String(index)));
    if (option.text !== name) option.text = name;
  }
  const value = looking === null ? "" : String(looking);
  if (look.value !== value) look.value = value;
}

/** @param {HTMLButtonElement | null} which @param {boolean} on */
function press(which, on) {
  which?.setAttribute("aria-pressed", String(on));
}

/** @param {import("./types.js").RoomState} state @param {import("./dom.js").Words} words */
function groupWords(state, words) {
  const name = (/** @type {string} */ id) => state.people.find((each) => each.id === id)?.name ?? "";
  return state.groups.map(
    (members, index) =>
      `${words.say("group-number", { number: index + 1 })}: ${members.map(name).join("、")}`,
  );
}
