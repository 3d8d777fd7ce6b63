// Made from server/src/stream/wire.rs; WRITE_TYPES=1 cargo test -p millet-server protocol_d_ts writes it anew.

export type Interval = {
/**
 * UUID made by the client; the same interval always has the same.
 */
id: string,
/**
 * Begin.
 */
from_ms: number,
/**
 * End.
 */
until_ms: number,
/**
 * Playback rate in thousandths.
 */
rate_permille: number, };

export type Resume = {
/**
 * Epoch of those chunks.
 */
epoch: number,
/**
 * Segment of the newest chunk of the video lane.
 */
video_sequence: number | null,
/**
 * Chunk in it.
 */
video_part: number | null,
/**
 * Segment of the newest chunk of the audio lane.
 */
audio_sequence: number | null,
/**
 * Chunk in it.
 */
audio_part: number | null, };

export type Hello = {
/**
 * What to watch.
 */
timeline: string,
/**
 * UUID of this opening of the timeline, made by the client and kept across reconnections.
 */
session: string,
/**
 * Where to begin; of no meaning with `resume`.
 */
position_ms: number,
/**
 * Beginnings of the codec strings that the client can decode.
 */
codecs: Array<string>,
/**
 * Rung to stay on.
 */
pin: string | null,
/**
 * Most bytes that may still be sent.
 */
budget_bytes: number | null,
/**
 * What the client has.
 */
resume: Resume | null,
/**
 * Newest receipt of this account for this timeline.
 */
receipt: string | null,
/**
 * How to watch a timeline that still grows; of no meaning for any other.
 */
live: LiveWish | null, };

export type Follow = "edge" | "all";

export type LiveWish = {
/**
 * What to do about what is missed.
 */
follow: Follow,
/**
 * Begin at the present instead of `position_ms`; of no meaning with `resume`.
 */
at_edge: boolean,
/**
 * Newest event of the room that the client has seen; null before the first.
 */
events_after: number | null, };

export type LiveNow = {
/**
 * The timeline's clock now.
 */
now_ms: number,
/**
 * End of the newest chunk.
 */
edge_ms: number,
/**
 * Nothing more comes.
 */
ended: boolean, };

export type Ack = {
/**
 * Bytes of all binary messages.
 */
bytes: number,
/**
 * Stored ahead.
 */
buffer_ms: number,
/**
 * From the arrival of the message before the newest one to that of the newest one.
 */
gap_ms?: number,
/**
 * From the arrival of the newest message to this word of it.
 */
delay_ms?: number, };

export type ClientMessage = { "type": "hello" } & Hello | { "type": "ack" } & Ack | { "type": "seek",
/**
 * Where.
 */
position_ms: number,
/**
 * The epoch from now on.
 */
epoch: number, } | { "type": "pin",
/**
 * Id.
 */
rung: string | null, } | { "type": "budget",
/**
 * From now on.
 */
bytes: number | null, } | { "type": "played",
/**
 * At most 100.
 */
intervals: Array<Interval>,
/**
 * Newest receipt.
 */
receipt: string | null, } | { "type": "follow",
/**
 * The wish.
 */
follow: Follow, } | { "type": "act",
/**
 * A `Request` of the room.
 */
request: import("../live/room.js").Request, } | { "type": "bye" };

export type RenditionKind = "audio" | "stills" | "video";

export type Rendition = {
/**
 * In headers of binary messages.
 */
index: number,
/**
 * Stable id.
 */
id: string,
/**
 * Lane and look.
 */
kind: RenditionKind,
/**
 * As Media Source Extensions want it.
 */
codec: string,
/**
 * Pixels; 0 for sound.
 */
width: number,
/**
 * Pixels; 0 for sound.
 */
height: number,
/**
 * Of the whole timeline.
 */
bytes: number, };

export type Rung = {
/**
 * Stable id.
 */
id: string,
/**
 * Of the video lane.
 */
video: number | null,
/**
 * Of the audio lane.
 */
audio: number | null,
/**
 * Of the whole timeline.
 */
bytes: number, };

export type RungReason = "bandwidth" | "pinned" | "budget" | "start";

export type ServerMessage = { "type": "welcome",
/**
 * Epoch of what follows.
 */
epoch: number,
/**
 * Length of the timeline.
 */
duration_ms: number,
/**
 * What the client can decode.
 */
renditions: Array<Rendition>,
/**
 * From the fewest to the most bytes.
 */
rungs: Array<Rung>,
/**
 * The one that is sent first.
 */
rung: string,
/**
 * What was delivered so far.
 */
receipt: string,
/**
 * Present while the timeline grows; `duration_ms` is then its length so far.
 */
live: LiveNow | null,
/**
 * Present while the rest of a recording is being prepared: so far it can be watched. `duration_ms`
 * is then as announced.
 */
prepared_ms: number | null, } | { "type": "prepared",
/**
 * Begin of what is still being prepared.
 */
prepared_ms: number, } | { "type": "finished",
/**
 * Length of the timeline.
 */
duration_ms: number,
/**
 * What the client can decode; those that were there keep their index.
 */
renditions: Array<Rendition>,
/**
 * From the fewest to the most bytes.
 */
rungs: Array<Rung>, } | { "type": "live",
/**
 * How far.
 */
live: LiveNow, } | { "type": "rung",
/**
 * Id.
 */
rung: string,
/**
 * Why.
 */
reason: RungReason, } | { "type": "ack_delay",
/**
 * Longest.
 */
most_ms: number, } | { "type": "receipt",
/**
 * To be kept and shown again.
 */
receipt: string, } | { "type": "credited",
/**
 * Ids.
 */
ids: string[],
/**
 * Share of the timeline that was watched.
 */
watched_permille: number, } | { "type": "refused_interval",
/**
 * Id.
 */
id: string,
/**
 * `not_delivered`, `faster_than_time`, `two_at_once`, `out_of_range`, `too_fine`.
 */
reason: string, } | { "type": "budget_reached" } | { "type": "end" } | { "type": "problem",
/**
 * Machine-readable.
 */
code: string, } | { "type": "completed",
/**
 * The lesson.
 */
lesson: boolean,
/**
 * The course too.
 */
course: boolean, };
