// @ts-check
/**
 * The room as one person sees it, made from a snapshot and the events behind it. Pure: the same
 * messages give the same room; what was not changed stays the same object, so that views can tell.
 */

import { onBoard, pageFrom } from "./pages.js";

/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./room.js").RoomMessage} RoomMessage */
/** @typedef {import("./room.js").Event} Event */
/** @typedef {import("./room.js").Act} Act */
/** @typedef {import("./room.js").Person} Person */

/** Older messages are in the recording. */
const MOST_CHAT = 200;
const MOST_DRAWN = 64;
/** Number of the board page of small group 0. */
const GROUP_PAGE = 1000;
/** Whoever is gone asks for nothing and is not heard. */
const QUIET = { hand_ms: null, floor: false };

/** @param {import("./room.js").Snapshot} snapshot @returns {RoomState} */
export function fromSnapshot({ strokes, ...room }) {
  return {
    ...room,
    pages: room.waiting ? {} : { [room.board_page]: pageFrom(strokes) },
    drawn: [],
    pointer: null,
    followers: [],
    reactions: [],
    looking: null,
    opened: true,
    removed: false,
  };
}

/**
 * @param {RoomState | null} state null before the first snapshot
 * @param {RoomMessage} message
 * @returns {RoomState | null}
 */
export function reduce(state, message) {
  if (message.type === "room") {
    const fresh = fromSnapshot(message.room);
    return { ...fresh, looking: known(state?.looking ?? null, fresh.groups) };
  }
  if (!state) return null;
  switch (message.type) {
    case "event":
      return message.event.sequence > state.sequence ? happened(state, message.event) : state;
    case "board":
      return answered(state, message);
    case "pointer": {
      const { x, y } = message;
      return { ...state, pointer: x === null || y === null ? null : { x, y } };
    }
    case "followers":
      return { ...state, followers: message.followers };
    case "reactions":
      return { ...state, reactions: message.counts };
    default:
      return state;
  }
}

/**
 * The own answer to a poll is known once the server has it, whether or not an event says so.
 * @param {RoomState} state
 * @param {Act} act
 */
export function acted(state, act) {
  if (act.type !== "answer") return state;
  return { ...state, polls: change(state.polls, (each) => each.poll.id === act.poll, { own: act.option }) };
}

/** @param {RoomState} before @param {Event} event @returns {RoomState} */
function happened(before, event) {
  const state = { ...before, sequence: event.sequence };
  const { happened: what } = event;
  switch (what.type) {
    case "opened":
      return { ...state, opened: true };
    case "came": {
      const waiting = state.waiting && what.person.id !== state.me;
      return {
        ...state,
        waiting,
        people: upsert(state.people, what.person),
        waits: without(state.waits, what.person.id),
      };
    }
    case "left":
      return {
        ...state,
        people: person(state.people, what.who, { present: false, ...QUIET }),
        waits: without(state.waits, what.who),
      };
    case "waits":
      return { ...state, waits: upsert(state.waits, what.person) };
    case "done":
      return done(state, event, what.by, what.act);
    case "deck_added":
      return { ...state, decks: upsert(state.decks, what.deck) };
    case "groups":
      return grouped(state, what.members);
    case "poll_count":
      return {
        ...state,
        polls: state.polls.map((each) =>
          each.poll.id === what.poll
            ? {
                ...each,
                counts: what.counts,
                closed: each.closed || what.closed,
                poll: { ...each.poll, right: what.right ?? each.poll.right },
              }
            : each,
        ),
      };
    case "host":
      return { ...state, host_present: what.present };
    case "ended":
      return {
        ...state,
        ended: true,
        host_present: false,
        people: state.people.map((each) => ({ ...each, ...QUIET })),
      };
    default:
      // Of a newer server: nothing that this page could show.
      return state;
  }
}

/** @param {RoomState} state @param {Event} event @param {string} by @param {Act} act @returns {RoomState} */
function done(state, event, by, act) {
  const { people } = state;
  switch (act.type) {
    case "chat": {
      const name = people.find((each) => each.id === by)?.name ?? "";
      const line = {
        sequence: event.sequence,
        at_ms: event.at_ms,
        by,
        name,
        text: act.text,
        group: act.group,
      };
      return { ...state, chat: [...state.chat, line].slice(-MOST_CHAT) };
    }
    case "hide_chat":
      return { ...state, chat: state.chat.filter((line) => line.sequence !== act.sequence) };
    case "hand":
      return { ...state, people: person(people, by, { hand_ms: act.up ? event.at_ms : null }) };
    case "give_floor":
      return { ...state, people: person(people, act.to, { floor: true, hand_ms: null }) };
    case "take_floor":
      return { ...state, people: person(people, act.from, { floor: false }) };
    case "show_slide":
      return { ...state, slide: act.deck === null ? null : [act.deck, act.page], pointer: null };
    case "turn_board":
      return { ...state, board_page: act.page, pointer: null };
    case "draw":
    case "undo":
    case "wipe":
      return {
        ...state,
        pages: onBoard(state.pages, act),
        drawn: [...state.drawn, event].slice(-MOST_DRAWN),
      };
    case "open_poll": {
      const opened = { poll: act.poll, counts: [], own: null, closed: false };
      const others = state.polls.filter((each) => each.poll.id !== act.poll.id);
      return { ...state, polls: [...others, opened] };
    }
    case "answer":
      return by === state.me ? acted(state, act) : state;
    case "close_poll":
      return { ...state, polls: change(state.polls, (each) => each.poll.id === act.poll, { closed: true }) };
    case "announce":
      return { ...state, announcement: act.text };
    case "set_timer":
      return { ...state, timer_until_ms: act.until_ms };
    case "mute":
      return {
        ...state,
        people: person(people, act.who, act.on ? { muted: true, floor: false } : { muted: false }),
      };
    case "remove":
      return {
        ...state,
        people: without(people, act.who),
        waits: without(state.waits, act.who),
        groups: state.groups.map((members) => members.filter((each) => each !== act.who)),
        removed: state.removed || act.who === state.me,
      };
    case "admit":
      return {
        ...state,
        waits: without(state.waits, act.who),
        waiting: state.waiting && act.who !== state.me,
      };
    case "lock":
      return { ...state, locked: act.on };
    case "open_chat":
      return { ...state, chat_open: act.on };
    case "set_role":
      return {
        ...state,
        people: person(
          people,
          act.who,
          act.role === "observer" ? { role: act.role, ...QUIET } : { role: act.role },
        ),
      };
    default:
      return state;
  }
}

/**
 * Pages of groups that are no more are wiped; those of others were never seen.
 * @param {RoomState} state
 * @param {string[][]} groups
 * @returns {RoomState}
 */
function grouped(state, groups) {
  const moved = groupOf(state.groups, state.me) !== groupOf(groups, state.me);
  const gone = (/** @type {number} */ page) => page >= GROUP_PAGE + (moved ? 0 : groups.length);
  const kept = Object.entries(state.pages).filter(([page]) => !gone(Number(page)));
  return { ...state, groups, looking: known(state.looking, groups), pages: Object.fromEntries(kept) };
}

/** A group that there still is, or null. @param {number | null} group @param {string[][]} groups */
function known(group, groups) {
  return group !== null && group < groups.length ? group : null;
}

/** @param {RoomState} state @param {Extract<RoomMessage, { type: "board" }>} answer @returns {RoomState} */
function answered(state, answer) {
  let pages = { ...state.pages, [answer.page]: pageFrom(answer.strokes) };
  // What happened while the answer was on its way is not in it.
  for (const { sequence, happened: what } of state.drawn) {
    const later = sequence > answer.sequence && what.type === "done";
    if (later && onPage(what.act) === answer.page) pages = onBoard(pages, what.act);
  }
  return { ...state, pages };
}

/** @param {Act} act */
function onPage(act) {
  if (act.type === "draw") return act.stroke.page;
  return act.type === "undo" || act.type === "wipe" ? act.page : null;
}

/** The page of the board that must be asked for, or null. @param {RoomState} state */
export function missingPage(state) {
  if (state.waiting) return null;
  const page = shownPage(state);
  return state.pages[page]?.complete ? null : page;
}

/**
 * The small group whose board and chat this person sees: the own one, or the one that a leader looks at.
 * @param {RoomState} state
 */
export function groupShown(state) {
  return groupOf(state.groups, state.me) ?? (leads(myself(state)) ? state.looking : null);
}

/**
 * The page of the board that this person sees: a small group's, else everybody's.
 * @param {RoomState} state
 */
export function shownPage(state) {
  const group = groupShown(state);
  return group === null ? state.board_page : GROUP_PAGE + group;
}

/** Whether this person may draw on the page that is shown. @param {RoomState} state */
export function draws(state) {
  const me = myself(state);
  if (!me || state.ended) return false;
  return leads(me) || (!me.muted && (me.floor || groupOf(state.groups, state.me) !== null));
}

/** Number of somebody's small group, or null. @param {string[][]} groups @param {string} who */
export function groupOf(groups, who) {
  const index = groups.findIndex((members) => members.includes(who));
  return index < 0 ? null : index;
}

/** The slides of which one is shown. @param {RoomState | null} state */
export function deckOf(state) {
  return state?.decks.find((each) => each.id === state.slide?.[0]);
}

/** Path of the slide that is shown. @param {RoomState | null} state @returns {string | null} */
export function slidePath(state) {
  return deckOf(state)?.pages[state?.slide?.[1] ?? -1] ?? null;
}

/** @param {RoomState} state @returns {Person | undefined} */
export function myself(state) {
  return state.people.find((each) => each.id === state.me);
}

/** @param {Person | undefined} who */
export function leads(who) {
  return who?.role === "host" || who?.role === "co_host";
}

/** Hands that are up, the longest first. @param {RoomState} state */
export function hands(state) {
  return state.people
    .filter((each) => each.hand_ms !== null && each.present)
    .sort((a, b) => (a.hand_ms ?? 0) - (b.hand_ms ?? 0));
}

/** @param {Person[]} people @param {string} id @param {Partial<Person>} news */
function person(people, id, news) {
  return change(people, (each) => each.id === id, news);
}

/**
 * @template T
 * @param {T[]} list @param {(each: T) => boolean} which @param {Partial<T>} news
 */
function change(list, which, news) {
  return list.map((each) => (which(each) ? { ...each, ...news } : each));
}

/**
 * @template {{ id: string }} T
 * @param {T[]} list @param {T} item
 */
function upsert(list, item) {
  const known = list.some((each) => each.id === item.id);
  return known ? list.map((each) => (each.id === item.id ? item : each)) : [...list, item];
}

/**
 * @template {{ id: string }} T
 * @param {T[]} list @param {string} id
 */
function without(list, id) {
  return list.filter((each) => each.id !== id);
}
