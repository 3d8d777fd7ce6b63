// Made from server/src/live/room/{act,told}.rs; WRITE_TYPES=1 cargo test -p millet-server room_d_ts writes it anew.

export type Role = "observer" | "learner" | "co_host" | "host";

export type Reaction = "yes" | "no" | "slower" | "faster" | "applause";

export type Stroke = {
/**
 * Made by the client; the same id again continues the line.
 */
id: string,
/**
 * Page of the board: 0 to 99 are everybody's, 1000 + n is the page of the small group n.
 */
page: number,
/**
 * Index of a colour of the palette, 0 to 7.
 */
colour: number,
/**
 * Width in thousandths of the page's width, 1 to 40.
 */
width: number,
/**
 * Base64 of pairs of bytes: the first point as two big-endian u16 (0 to 4095 over width and height),
 * each further one as two signed bytes of difference. At most 512 points a message; what continues
 * a line begins with a point too, best with the last one of before. Where lines of one colour and
 * width are joined (`Snapshot`, `board`), the difference -128, -128 lifts the pen: the next four
 * bytes are a point again. No client sends that difference.
 */
points: string, };

export type Poll = {
/**
 * Made by the client.
 */
id: string,
/**
 * At most 300 characters.
 */
question: string,
/**
 * Two to six of at most 120 characters.
 */
options: Array<string>,
/**
 * Index of the right answer: a quick quiz. Shown to learners only when the poll is closed.
 */
right: number | null, };

export type Act = { "type": "chat",
/**
 * At most 500 characters.
 */
text: string,
/**
 * Number of the small group, absent for all.
 */
group: number | null, } | { "type": "hide_chat",
/**
 * Sequence of its event.
 */
sequence: number, } | { "type": "hand",
/**
 * Up or down.
 */
up: boolean, } | { "type": "give_floor",
/**
 * To whom.
 */
to: string, } | { "type": "take_floor",
/**
 * From whom.
 */
from: string, } | { "type": "show_slide",
/**
 * Uploaded slides.
 */
deck: string | null,
/**
 * Page of the deck, from 0.
 */
page: number, } | { "type": "draw",
/**
 * The line or its continuation.
 */
stroke: Stroke, } | { "type": "undo",
/**
 * Page of the board.
 */
page: number,
/**
 * Which line it was: filled in by the server. Who does not know that line, for it came joined
 * with others, asks for the page.
 */
stroke: string | null, } | { "type": "wipe",
/**
 * Page of the board.
 */
page: number, } | { "type": "turn_board",
/**
 * From 0; at most 99.
 */
page: number, } | { "type": "look_at_board",
/**
 * Page of the board.
 */
page: number, } | { "type": "point",
/**
 * 0 to 4095 over the width; absent: no pointer.
 */
x: number | null,
/**
 * 0 to 4095 over the height.
 */
y: number | null, } | { "type": "open_poll",
/**
 * What is asked.
 */
poll: Poll, } | { "type": "answer",
/**
 * Of which poll.
 */
poll: string,
/**
 * Index of the option.
 */
option: number, } | { "type": "close_poll",
/**
 * Which.
 */
poll: string, } | { "type": "react",
/**
 * Which.
 */
reaction: Reaction, } | { "type": "announce",
/**
 * At most 300 characters.
 */
text: string, } | { "type": "set_timer",
/**
 * When it rings, on the class's timeline.
 */
until_ms: number | null, } | { "type": "mute",
/**
 * Whom.
 */
who: string,
/**
 * On or off.
 */
on: boolean, } | { "type": "remove",
/**
 * Whom.
 */
who: string, } | { "type": "admit",
/**
 * Whom.
 */
who: string, } | { "type": "lock",
/**
 * On or off.
 */
on: boolean, } | { "type": "open_chat",
/**
 * On or off.
 */
on: boolean, } | { "type": "set_role",
/**
 * Whom.
 */
who: string,
/**
 * Learner, observer or co-host.
 */
role: Role, } | { "type": "open_groups",
/**
 * How many, 2 to 20.
 */
count: number, } | { "type": "close_groups" } | { "type": "end" };

export type Request = {
/**
 * Made by the client: the same again changes nothing and is answered alike.
 */
id: string,
/**
 * What.
 */
act: Act, };

export type Refusal = "not_allowed" | "muted" | "invalid" | "closed" | "too_fast" | "full" | "try_again";

export type Happened = { "type": "opened" } | { "type": "came",
/**
 * Who.
 */
person: Person, } | { "type": "left",
/**
 * Who.
 */
who: string, } | { "type": "waits",
/**
 * Who.
 */
person: Person, } | { "type": "done",
/**
 * By whom.
 */
by: string,
/**
 * What.
 */
act: Act, } | { "type": "deck_added",
/**
 * The slides.
 */
deck: Deck, } | { "type": "groups",
/**
 * Members of each.
 */
members: string[][], } | { "type": "poll_count",
/**
 * Which.
 */
poll: string,
/**
 * Answers of each option.
 */
counts: Array<number>,
/**
 * The right answer, once it may be known.
 */
right: number | null,
/**
 * Whether it is closed.
 */
closed: boolean, } | { "type": "host",
/**
 * Whether media comes.
 */
present: boolean, } | { "type": "ended" };

export type Event = {
/**
 * 1, 2, 3 … without gaps in the class; a client may not see each.
 */
sequence: number,
/**
 * On the class's timeline.
 */
at_ms: number,
/**
 * What.
 */
happened: Happened, };

export type Person = {
/**
 * Who, in this class.
 */
id: string,
/**
 * As people see it.
 */
name: string,
/**
 * Part.
 */
role: Role,
/**
 * Has a connection now.
 */
present: boolean,
/**
 * Has the hand up, since when on the timeline.
 */
hand_ms: number | null,
/**
 * May be heard.
 */
floor: boolean,
/**
 * Was silenced.
 */
muted: boolean, };

export type Deck = {
/**
 * Which.
 */
id: string,
/**
 * Name of the file.
 */
name: string,
/**
 * Paths of the pictures, one a page; with `?small` about a third of the bytes.
 */
pages: Array<string>, };

export type ChatLine = {
/**
 * Sequence of its event.
 */
sequence: number,
/**
 * On the timeline.
 */
at_ms: number,
/**
 * Who.
 */
by: string,
/**
 * As people see it.
 */
name: string,
/**
 * What.
 */
text: string,
/**
 * Small group, absent for all.
 */
group: number | null, };

export type PollState = {
/**
 * What is asked; `right` is absent for learners until it is closed.
 */
poll: Poll,
/**
 * Answers of each option; empty where they are not shown.
 */
counts: Array<number>,
/**
 * The own answer.
 */
own: number | null,
/**
 * Whether it is closed.
 */
closed: boolean, };

export type Snapshot = {
/**
 * Events up to this one are in it.
 */
sequence: number,
/**
 * Who asks.
 */
me: string,
/**
 * Whether the own way in is still to be opened by a leader; then the rest is empty.
 */
waiting: boolean,
/**
 * Everybody; leaders see those who wait too.
 */
people: Array<Person>,
/**
 * Those who wait, for leaders.
 */
waits: Array<Person>,
/**
 * The newest 50 messages.
 */
chat: Array<ChatLine>,
/**
 * Whether learners may write.
 */
chat_open: boolean,
/**
 * Whether anybody may still come in.
 */
locked: boolean,
/**
 * Slides of this class.
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
 * Lines on that page, in order; neighbours of one colour and width are joined.
 */
strokes: Array<Stroke>,
/**
 * Polls, newest last.
 */
polls: Array<PollState>,
/**
 * Sentence at the top.
 */
announcement: string,
/**
 * When the timer rings.
 */
timer_until_ms: number | null,
/**
 * Small groups.
 */
groups: string[][],
/**
 * Whether the teacher's media comes.
 */
host_present: boolean,
/**
 * Whether the class has ended.
 */
ended: boolean, };

export type Follower = {
/**
 * Who.
 */
who: string,
/**
 * Rung that is sent.
 */
rung: string,
/**
 * How far the picture is behind the present.
 */
behind_ms: number,
/**
 * Nothing plays because nothing is stored.
 */
stuck: boolean,
/**
 * Minutes of the class that were really played so far.
 */
minutes: number, };

export type RoomMessage = { "type": "room",
/**
 * The room as it is.
 */
room: Snapshot, } | { "type": "event",
/**
 * What, durable.
 */
event: Event, } | { "type": "acted",
/**
 * Which.
 */
id: string,
/**
 * Of its event; 0 for what is not kept.
 */
sequence: number, } | { "type": "act_refused",
/**
 * Which.
 */
id: string,
/**
 * Why.
 */
reason: Refusal, } | { "type": "board",
/**
 * Events up to this one are in it.
 */
sequence: number,
/**
 * Page of the board.
 */
page: number,
/**
 * Lines, in order; neighbours of one colour and width are joined.
 */
strokes: Array<Stroke>, } | { "type": "pointer",
/**
 * 0 to 4095 over the width; absent: no pointer.
 */
x: number | null,
/**
 * 0 to 4095 over the height.
 */
y: number | null, } | { "type": "followers",
/**
 * One line for each who is present.
 */
followers: Array<Follower>, } | { "type": "reactions",
/**
 * How many of each.
 */
counts: [Reaction, number][], };
