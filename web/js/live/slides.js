// @ts-check
/** Slides behind the board: shown small first and sharp when the link rests; turned by leaders. */

import { button, field, form, onClick, place, show, write } from "./dom.js";
import { atEase, nextPicture } from "./ease.js";
import { deckOf, groupShown, leads, myself, slidePath } from "./state.js";

/** @typedef {import("./types.js").RoomState} RoomState */

/** Pages of the board: the first is blank, slides count up from the second, more blank ones down from the last. */
const LAST_PAGE = 99;
/** Slides that are fetched before they are shown. */
const AHEAD = 2;
const REST_MS = 3000;

/**
 * The page of the board for the lines over a slide.
 * @param {RoomState["decks"]} decks
 * @param {string} deck
 * @param {number} page
 */
export function boardPageOf(decks, deck, page) {
  let before = 0;
  for (const each of decks) {
    if (each.id === deck) break;
    before += each.pages.length;
  }
  return 1 + ((before + page) % LAST_PAGE);
}

/** @param {import("./types.js").Context} context */
export function mountSlides({ root, room, playback, words, tell }) {
  const image = /** @type {HTMLImageElement | null} */ (root.querySelector("img[data-slide]"));
  const stage = place(root, "board");
  const shown = place(root, "slide-number");
  const choice = /** @type {HTMLSelectElement | null} */ (root.querySelector("[data-choose=deck]"));
  /** @type {Set<string>} */
  const fetched = new Set();
  let sharp = "";

  room.onChange((state) => {
    const grouped = groupShown(state) !== null;
    const path = grouped ? null : slidePath(state);
    const lines = Object.values(state.pages).some((page) => page.lines.length > 0);
    show(stage, path !== null || lines || grouped || leads(myself(state)));
    if (image) {
      show(image, path !== null);
      if (path && sharp !== path) {
        sharp = path;
        image.src = fetched.has(path) ? path : `${path}?small`;
        image.alt = words.say("slide", { number: (state.slide?.[1] ?? 0) + 1 });
      }
    }
    write(
      shown,
      state.slide
        ? words.say("slide-of", { number: state.slide[1] + 1, total: deckOf(state)?.pages.length ?? 0 })
        : "",
    );
    if (choice) fill(choice, state);
  });

  let fetching = false;
  setInterval(() => {
    const { state } = room;
    if (!state || !atEase(moment(playback, fetching))) return;
    const path = nextPicture(coming(state), lines(playback), fetched);
    if (!path) return;
    fetched.add(path);
    fetching = true;
    const early = new Image();
    early.onload = () => {
      fetching = false;
      if (image && slidePath(room.state) === path) image.src = path;
    };
    early.onerror = () => {
      fetching = false;
      fetched.delete(path);
    };
    early.src = path;
  }, REST_MS);

  if (!button(root, "slide-next")) return;
  onClick(root, "slide-next", () => turn(room, 1));
  onClick(root, "slide-back", () => turn(room, -1));
  stage?.addEventListener("keydown", (event) => {
    const by = event.key === "PageDown" ? 1 : event.key === "PageUp" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    turn(room, by);
  });
  onClick(root, "slide-none", () => {
    room.do({ type: "show_slide", deck: null, page: 0 });
    room.do({ type: "turn_board", page: 0 });
  });
  choice?.addEventListener("change", () => {
    const deck = room.state?.decks.find((each) => each.id === choice.value);
    if (deck && room.state) showPage(room, deck.id, 0);
  });
  mountUpload(root, words, tell);
}

/** @param {import("./playback.js").LivePlayback} playback @param {boolean} fetching @returns {import("./ease.js").Moment} */
function moment(playback, fetching) {
  const { latency, session } = playback;
  return {
    wanted: playback.wanted,
    storedMs: playback.storedMs(),
    lowMs: latency.range().lowMs,
    calm: playback.stalledAt === 0 && latency.stretch === 1,
    saving: session.budgetBytes > 0 || Reflect.get(navigator, "connection")?.saveData === true,
    hidden: document.hidden,
    fetching,
  };
}

/** Lines of the moving picture that the link carries now. @param {import("./playback.js").LivePlayback} playback */
function lines({ session }) {
  const rung = session.ladder?.rungs.find((each) => each.id === session.rung);
  const picture = session.rendition(rung?.video ?? null);
  return picture?.kind === "video" ? picture.height : 0;
}

/** The slide on screen and those behind it; before any is shown, the first ones. @param {RoomState} state */
function coming(state) {
  const shown = deckOf(state);
  const from = shown ? (state.slide?.[1] ?? 0) : 0;
  return (shown ?? state.decks[0])?.pages.slice(from, from + 1 + AHEAD) ?? [];
}

/** @param {import("./classroom.js").Classroom} room @param {number} by */
function turn(room, by) {
  const { state } = room;
  if (!state) return;
  const deck = deckOf(state);
  if (!deck || !state.slide) {
    // Without slides the board itself is turned.
    const at = state.board_page === 0 ? 0 : LAST_PAGE + 1 - state.board_page;
    const to = Math.max(0, Math.min(9, at + by));
    room.do({ type: "turn_board", page: to === 0 ? 0 : LAST_PAGE + 1 - to });
    return;
  }
  const to = state.slide[1] + by;
  if (deck.pages[to] !== undefined) showPage(room, deck.id, to);
}

/** @param {import("./classroom.js").Classroom} room @param {string} deck @param {number} page */
function showPage(room, deck, page) {
  room.do({ type: "show_slide", deck, page });
  room.do({ type: "turn_board", page: boardPageOf(room.state?.decks ?? [], deck, page) });
}

/** @param {HTMLSelectElement} choice @param {RoomState} state */
function fill(choice, state) {
  const known = new Set([...choice.options].map((option) => option.value));
  for (const deck of state.decks) {
    if (!known.has(deck.id)) choice.append(new Option(deck.name, deck.id));
  }
  const current = state.slide?.[0] ?? "";
  if (document.activeElement !== choice && choice.value !== current) choice.value = current;
}

/** @param {HTMLElement} root @param {import("./dom.js").Words} words @param {(text: string) => void} tell */
function mountUpload(root, words, tell) {
  const upload = form(root, "deck");
  upload?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = field(upload, "file").files?.[0];
    if (!file) return;
    tell(words.say("deck-sending", { name: file.name }));
    try {
      const answer = await fetch(upload.action, {
        method: "POST",
        body: new FormData(upload),
        // The page that a form would lead to is this one: nobody need load it again.
        redirect: "manual",
      });
      const taken = answer.ok || answer.type === "opaqueredirect";
      if (taken) upload.reset();
      tell(
        words.say(taken ? "deck-sent" : answer.status === 413 ? "deck-large" : "deck-refused", {
          name: file.name,
        }),
      );
    } catch {
      tell(words.say("deck-lost", { name: file.name }));
    }
  });
}
