// @ts-check
/**
 * The page of a class. Words come first: the room is joined at once and costs almost nothing; sound
 * and pictures wait for the play button. The desk of leaders is loaded for leaders alone.
 */

import { canPlay } from "../player/buffers.js";
import { mountBoard } from "./board.js";
import { mountChat } from "./chat.js";
import { Classroom } from "./classroom.js";
import { Words, button, onClick, place, show, write } from "./dom.js";
import { mountPeople } from "./people.js";
import { LivePlayback } from "./playback.js";
import { mountPolls } from "./polls.js";
import { mountSigns } from "./signs.js";
import { mountSlides } from "./slides.js";
// Named here so that the browser asks for all of them at once: each level of imports is a round trip.
import "../player/controls.js";
import "../player/evidence.js";
import "../player/leftovers.js";
import "../player/playback.js";
import "../player/session.js";
import "../player/socket.js";
import "../player/store.js";
import "./ease.js";
import "./latency.js";
import "./lines.js";
import "./outbox.js";
import "./pages.js";
import "./paint.js";
import "./state.js";
import "./strokes.js";

/** A sentence in the live region stays so long. */
const TOLD_MS = 8000;
/** So much beyond the chosen distance still is the present to a person. */
const LIVE_MS = 6000;

/** @param {HTMLElement} root */
function mount(root) {
  const section = root.querySelector("section[data-live-player]");
  const video = section?.querySelector("video");
  if (!(section instanceof HTMLElement) || !video) return;
  const words = new Words(root);
  let told = 0;
  const tell = (/** @type {string} */ text) => {
    write(place(root, "status"), text);
    clearTimeout(told);
    told = setTimeout(() => write(place(root, "status"), ""), TOLD_MS);
  };
  /** @type {Classroom} */
  const room = new Classroom(
    (request) => playback.session.welcomed && playback.session.link.send({ type: "act", request }),
    (act, reason) => {
      tell(words.say(`refused-${reason === "full" && act.type === "draw" ? "page-full" : reason}`));
      if (act.type === "chat") giveBack(root, act.text);
    },
  );
  /** @type {LivePlayback} */
  const playback = new LivePlayback(section, video, {
    eventsAfter: () => room.eventsAfter(),
    said: (message) => room.said(message),
    clock: (_, ended) => ended && show(button(root, "edge"), false),
    welcomed: () => room.welcomed(),
    ticked: () => undefined,
    drawn: () => drawLink(root, section, words, playback),
  });
  const context = { root, words, room, playback, tell };
  if (canPlay('video/mp4; codecs="avc1.42001e"')) {
    playback.mount();
    mountChoices(root, playback);
  } else {
    // The page's own sources play; the room works all the same.
    show(place(root, "choices"), false);
  }
  for (const part of [mountSigns, mountBoard, mountSlides, mountChat, mountPolls, mountPeople]) part(context);
  const desk = place(root, "desk");
  unveil(root, desk);
  playback.session.link.start();
  if (desk) void lead(desk, context);
}

/** @param {HTMLElement} desk @param {import("./types.js").Context} context */
async function lead(desk, context) {
  const { publish = "", probe = "" } = context.root.dataset;
  const url = socketUrl(publish);
  const [{ mountLead }, { Desk }] = await Promise.all([import("./lead.js"), import("./publish.js")]);
  mountLead(context);
  new Desk(desk, url, probe, context);
  unveil(desk);
}

/** What was not said is not lost either. @param {HTMLElement} root @param {string} text */
function giveBack(root, text) {
  const input = /** @type {HTMLInputElement | null} */ (
    root.querySelector("form[data-form=say] [name=text]")
  );
  if (input && input.value === "") input.value = text;
}

/** @param {string} path */
function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Before the class there is a desk to look whether all will do, and nothing else. @param {HTMLElement} root */
async function mountCheck(root) {
  const desk = place(root, "desk");
  const { Desk } = await import("./publish.js");
  if (desk) new Desk(desk, "", root.dataset.probe ?? "", { words: new Words(root), tell: () => undefined });
  unveil(root);
}

/**
 * What only scripts can do appears, and what stood in for it goes.
 * @param {HTMLElement} root @param {HTMLElement | null} [later] its scripts still load: a press would be lost
 */
function unveil(root, later) {
  for (const each of root.querySelectorAll("[data-scripted]"))
    if (!later?.contains(each)) each.removeAttribute("hidden");
  for (const each of root.querySelectorAll("[data-plain]")) each.remove();
}

/** @param {HTMLElement} root @param {LivePlayback} playback */
function mountChoices(root, playback) {
  onClick(root, "edge", () => {
    if (!playback.wanted) playback.toggle();
    playback.toEdge();
  });
  const choose = (
    /** @type {string} */ name,
    /** @type {string} */ value,
    /** @type {(value: string) => void} */ act,
  ) => {
    const select = /** @type {HTMLSelectElement | null} */ (
      root.querySelector(`select[data-choose="${name}"]`)
    );
    if (!select) return;
    select.value = value;
    select.addEventListener("change", () => act(select.value));
  };
  choose("range", playback.latency.name, (value) => playback.chooseRange(value));
  choose("follow", playback.follow, (value) => playback.chooseFollow(value === "all" ? "all" : "edge"));
}

/**
 * What the link does, in words: also without media the room may be cut off.
 * @param {HTMLElement} root @param {HTMLElement} section @param {Words} words @param {LivePlayback} playback
 */
function drawLink(root, section, words, playback) {
  const { session, lostAt } = playback;
  const lost = lostAt > 0 && performance.now() - lostAt > 2000;
  show(place(root, "link-lost"), lost && !playback.code);
  // The server sent this page away; connecting again would not help.
  show(place(root, "link-refused"), playback.code !== "");
  root.dataset.link = lost ? "lost" : session.welcomed ? "open" : "connecting";
  const edge = button(root, "edge");
  if (!edge || !playback.timer || playback.ended()) return;
  // Where it begins is not known yet: it will be the present.
  const behindMs = playback.joining ? 0 : playback.behindMs();
  const live = playback.wanted && behindMs < LIVE_MS + playback.latency.range().highMs;
  section.dataset.live = live ? "yes" : "no";
  show(edge, true);
  write(place(root, "edge-words"), live ? words.say("edge-live") : words.say("edge-behind"));
  write(place(root, "behind"), behindMs > 1500 ? words.say("behind", { time: length(behindMs, words) }) : "");
}

/** @param {number} ms @param {Words} words */
function length(ms, words) {
  if (ms < 60_000) return words.say("seconds", { seconds: Math.round(ms / 1000) });
  return words.say("minutes", { minutes: Math.round(ms / 60_000) });
}

for (const root of document.querySelectorAll("[data-class], [data-class-check]")) {
  if (!(root instanceof HTMLElement)) continue;
  if (root.dataset.classCheck === undefined) mount(root);
  else void mountCheck(root);
}
