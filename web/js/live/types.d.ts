// Shapes that the modules of a class share among themselves. Times are milliseconds.

import type { OtherMessage } from "../player/types.js";
import type { Classroom } from "./classroom.js";
import type { Words } from "./dom.js";
import type { LivePlayback } from "./playback.js";
import type { Event, Follower, Reaction, Request, Snapshot } from "./room.js";

/** What the player of a class asks of, and tells to, the page. */
export interface LiveUser {
  /** Newest event of the room that was seen, null before the first. */
  eventsAfter(): number | null;
  /** A message of the room. */
  said(message: Exclude<OtherMessage, { type: "live" }>): void;
  /** The class's clock. */
  clock(nowMs: number, ended: boolean): void;
  /** A connection stands: what waits may be sent. */
  welcomed(): void;
  /** Time has passed while media is wanted. */
  ticked(): void;
  drawn(): void;
}

/** A line on the board: its first piece and the continuations, each as it travelled. */
export interface Line {
  id: string;
  /** Came in a snapshot, perhaps joined with neighbours: it cannot be taken away alone. */
  joined: boolean;
  colour: number;
  width: number;
  pieces: string[];
}

/** What is known of a page of the board. */
export interface BoardPage {
  lines: Line[];
  /** Nothing is missing. */
  complete: boolean;
}

/** The room as this person sees it. */
export type RoomState = Omit<Snapshot, "strokes"> & {
  pages: Record<number, BoardPage>;
  /** The newest changes of the board, for an answer that is older than they are. */
  drawn: Event[];
  pointer: { x: number; y: number } | null;
  followers: Follower[];
  reactions: [Reaction, number][];
  /** The small group that a leader looks at, null for everybody's board. */
  looking: number | null;
  /** The class has opened. */
  opened: boolean;
  /** A leader sent this person out. */
  removed: boolean;
};

/** A request that waits for its answer. */
export interface WaitingAct {
  request: Request;
  /** When it is sent again unless it was answered; Infinity without a connection. */
  dueAt: number;
  madeAt: number;
  /** Of no use when it comes late. */
  fleeting: boolean;
}

/** What every part of the page gets. */
export interface Context {
  root: HTMLElement;
  words: Words;
  room: Classroom;
  playback: LivePlayback;
  /** A sentence in the live region. */
  tell(text: string): void;
}
