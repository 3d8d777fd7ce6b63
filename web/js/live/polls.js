// @ts-check
/** Questions to all: answered by learners, asked and closed by leaders. */

import { makeUuid } from "../player/evidence.js";
import { element, field, form, keyed, onClick, place, show, typed, write } from "./dom.js";
import { leads, myself } from "./state.js";

/** @typedef {import("./room.js").PollState} PollState */
/** @typedef {import("./types.js").Context} Context */

const MOST_OPTIONS = 6;

/** @param {Context} context */
export function mountPolls(context) {
  const { root, room } = context;
  const list = place(root, "polls");
  room.onChange((state, before) => {
    const same = before && before.polls === state.polls && before.people === state.people;
    if (same && room.box.pending("answer").length === 0) return;
    const leading = leads(myself(state));
    show(list, state.polls.length > 0);
    keyed(
      list,
      // The newest first: it is the one that is asked.
      [...state.polls].reverse(),
      (each) => each.poll.id,
      (each) => card(context, each),
      (row, each) => update(context, row, each, leading),
    );
  });
  mountComposer(context);
}

/** @param {Context} context @param {PollState} poll */
function card({ words, room }, { poll }) {
  const made = element("li", "card poll");
  const box = element("form");
  const set = element("fieldset");
  const legend = element("legend");
  legend.append(typed("", poll.question));
  set.append(legend);
  for (const [index, option] of poll.options.entries()) {
    const label = element("label", "option");
    const input = element("input");
    Object.assign(input, { type: "radio", name: `poll-${poll.id}`, value: String(index) });
    const bar = element("progress");
    bar.hidden = true;
    bar.setAttribute("aria-hidden", "true");
    const count = element("span", "count");
    label.append(input, typed("", option), count, bar);
    set.append(label);
  }
  const answer = element("button", "main", words.say("poll-answer"));
  const close = element("button", "", words.say("poll-close"));
  close.type = "button";
  close.dataset.close = "";
  const note = element("p", "hint");
  note.dataset.note = "";
  box.append(set, answer, close, note);
  made.append(box);
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = box.querySelector("input:checked");
    if (chosen instanceof HTMLInputElement) {
      room.do({ type: "answer", poll: poll.id, option: Number(chosen.value) });
    } else {
      write(note, words.say("poll-choose"));
    }
  });
  close.addEventListener("click", () => room.do({ type: "close_poll", poll: poll.id }));
  return made;
}

/** @param {Context} context @param {HTMLElement} row @param {PollState} state @param {boolean} leading */
function update({ words, room }, row, { poll, counts, own, closed }, leading) {
  const total = counts.reduce((sum, each) => sum + each, 0);
  const waits = room.box.pending("answer").some((act) => act.poll === poll.id);
  row.classList.toggle("closed", closed);
  for (const [index, label] of [...row.querySelectorAll(".option")].entries()) {
    const input = /** @type {HTMLInputElement} */ (label.querySelector("input"));
    input.disabled = closed || leading;
    // The server's word sets the choice once; what is being chosen is not taken away.
    if (own === index && row.dataset.own !== String(own)) input.checked = true;
    const bar = /** @type {HTMLProgressElement} */ (label.querySelector("progress"));
    show(bar, counts.length > 0);
    bar.max = Math.max(1, total);
    bar.value = counts[index] ?? 0;
    const right = poll.right === index && (closed || leading);
    label.classList.toggle("right", right);
    const count =
      counts.length > 0
        ? words.say("poll-count", {
            count: counts[index] ?? 0,
            percent: Math.round((100 * (counts[index] ?? 0)) / Math.max(1, total)),
          })
        : "";
    write(label.querySelector(".count"), right ? `✓ ${words.say("poll-right")} ${count}`.trim() : count);
  }
  row.dataset.own = String(own);
  show(row.querySelector("button.main"), !closed && !leading);
  show(row.querySelector("[data-close]"), !closed && leading);
  const key = closed
    ? "poll-closed"
    : waits
      ? "sending"
      : own !== null
        ? "poll-answered"
        : leading
          ? "poll-open"
          : "";
  write(row.querySelector("[data-note]"), key && words.say(key, { total }));
}

/** @param {Context} context */
function mountComposer({ root, room, words, tell }) {
  const box = form(root, "poll");
  const options = place(root, "poll-options");
  if (!box || !options) return;
  onClick(root, "poll-option", () => {
    const rows = options.children.length;
    if (rows >= MOST_OPTIONS) return;
    const copy = /** @type {HTMLElement} */ (options.lastElementChild?.cloneNode(true));
    for (const input of copy.querySelectorAll("input")) {
      if (input.type === "radio") Object.assign(input, { value: String(rows), checked: false });
      else input.value = "";
    }
    options.append(copy);
    copy.querySelector("input")?.focus();
  });
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    const rows = [...options.children].map((row) => ({
      text: /** @type {HTMLInputElement} */ (row.querySelector("input[name=option]")).value.trim(),
      right: /** @type {HTMLInputElement} */ (row.querySelector("input[name=right]")).checked,
    }));
    const filled = rows.filter((row) => row.text !== "");
    const question = field(box, "question").value.trim();
    if (!question || filled.length < 2) return tell(words.say("poll-needs"));
    const right = filled.findIndex((row) => row.right);
    const poll = {
      id: makeUuid(),
      question,
      options: filled.map((row) => row.text),
      right: right < 0 ? null : right,
    };
    if (room.do({ type: "open_poll", poll })) box.reset();
  });
}
