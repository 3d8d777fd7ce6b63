// Shapes that the player's modules share among themselves. Times are milliseconds.

import type { RoomMessage } from "../live/room.js";
import type { ClientMessage, Interval, LiveWish, ServerMessage } from "./protocol.js";

export type LaneName = "audio" | "video";
export type Lanes = "none" | LaneName | "both";

/** One binary message; the header is in PROTOCOL.md of the server's stream. */
export type Frame = {
  kind: "init" | "chunk";
  lane: LaneName;
  /** Index into the welcome's renditions. */
  rendition: number;
  /** A decoder may start here. */
  keyframe: boolean;
  /** First chunk of its segment. */
  first: boolean;
  /** Something before it was left out for good. */
  gap: boolean;
  /** Nothing of this lane follows. */
  last: boolean;
  /** Counts the seeks: what belongs to an older one is late. */
  epoch: number;
  /** Segment number. */
  sequence: number;
  /** Chunk number within the segment. */
  part: number;
  startMs: number;
  endMs: number;
  payload: Uint8Array<ArrayBuffer>;
};

export type Chunk = Frame & {
  appended: boolean;
  /** End of what the server sent before, when all in between was left out; else Infinity. */
  afterMs: number;
};

export type LinkState = "connecting" | "open" | "lost";

/** What a link asks of, and tells to, whoever uses it. */
export interface LinkUser {
  /** First message of every connection. */
  hello(): ClientMessage;
  control(message: ServerMessage | RoomMessage): void;
  frame(frame: Frame, bytes: number): void;
  state(state: LinkState): void;
  /** Whether silence is suspicious now. */
  expecting(): boolean;
}

/** What a session asks of, and tells to, the player. */
export interface SessionUser {
  headMs(): number;
  /** Stored ahead of the head in the lanes that play. */
  storedMs(): number;
  paused(): boolean;
  arrived(): void;
  changed(): void;
  linked(state: LinkState): void;
  problem(code: string): void;
  notice(key: string): void;
  completed(course: boolean): void;
  /** How to watch a timeline that still grows, null for a lesson. */
  live(): LiveWish | null;
  /** What the server says beside the media. */
  other(message: OtherMessage): void;
}

/** Messages that a lesson's player does not know. */
export type OtherMessage = Extract<ServerMessage, { type: "live" }> | RoomMessage;

/** What the controls ask for. */
export interface Actions {
  toggle(): void;
  seek(toMs: number): void;
  /** `auto` or a rung's id. */
  pin(rung: string): void;
  /** 0 for no limit. */
  budget(bytes: number): void;
}

/** A source buffer and what it was fed. */
export type Sink = {
  buffer: SourceBuffer;
  name: LaneName;
  mime: string;
  /** Whose init segment the buffer has, -1 for none. */
  rendition: number;
};

/** An interval as it waits on the device. */
export type Waiting = Interval & { learner: string; timeline: string };

/** Where waiting intervals outlive the page. */
export interface Shelf {
  list(learner: string): Promise<Waiting[]>;
  put(waiting: Waiting): void;
  remove(id: string): void;
}

/** What the display tells the learner about. */
export type Facts = {
  /** The learner has asked for media at least once. */
  started: boolean;
  /** It ought to play. */
  wanted: boolean;
  ended: boolean;
  /** The server has told what there is. */
  known: boolean;
  /** How long the link has been lost, 0 for not. */
  lostMs: number;
  /** How long nothing could be played although it ought to, 0 for not. */
  stalledMs: number;
  storedMs: number;
  budgetReached: boolean;
  /** What comes next is not prepared yet. */
  atEdge: boolean;
  /** Why it cannot be played, empty for no reason. */
  problem: string;
  /** Key of what is worth saying once, and of what was completed; else empty. */
  notice: string;
  completed: string;
};
