// Made from server/src/live/room/replay.rs; WRITE_TYPES=1 cargo test -p millet-server record_d_ts writes it anew.

import type { ChatLine, Deck, Event, Person, Stroke } from "../live/room.js";

export type RecordedPage = {
/**
 * Page of the board.
 */
page: number,
/**
 * Lines, in order; neighbours of one colour and width are joined.
 */
strokes: Array<Stroke>,
/**
 * Lines that are not joined with others, since the piece takes them away.
 */
alone: string[], };

export type RecordedRoom = {
/**
 * Events up to this one are in it.
 */
sequence: number,
/**
 * Who writes in this piece.
 */
people: Array<Person>,
/**
 * Slides that are shown in this piece.
 */
decks: Array<Deck>,
/**
 * The slide shown: deck and page.
 */
slide: [string, number] | null,
/**
 * Page of the board that is shown.
 */
board_page: number,
/**
 * Pages of the board that are shown in this piece.
 */
pages: Array<RecordedPage>,
/**
 * The newest messages.
 */
chat: Array<ChatLine>,
/**
 * Sentence at the top.
 */
announcement: string, };

export type RecordedPiece = {
/**
 * Where it begins, on the class's timeline.
 */
from_ms: number,
/**
 * The room there.
 */
room: RecordedRoom,
/**
 * What happened until the next piece.
 */
events: Array<Event>, };
