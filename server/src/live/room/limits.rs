//! Every limit of a room, with its reason.

use std::time::Duration;

/// People who were ever let in. A line of the roster is about 150 bytes, so a full one is 45 kB: six
/// seconds of a link with 64 kbit/s when somebody comes in.
pub const MOST_PEOPLE: usize = 300;
/// People who wait to be let in: more than a teacher looks through, and a flood of forged names ends here.
pub const MOST_WAITING: usize = 50;
/// People whom leaders sent out; each is an id.
pub const MOST_REMOVED: usize = 1_000;
/// Learners who may be heard at once: each costs every listener 16 kbit/s.
pub const MOST_FLOORS: usize = 3;

/// Longest message of the chat, in characters: 1.5 kB of Chinese.
pub const LONGEST_CHAT: usize = 500;
/// Messages that can still be hidden, and that a small group's snapshot is chosen from.
pub const CHAT_KEPT: usize = 400;
/// Messages in a snapshot.
pub const CHAT_SHOWN: usize = 50;
/// Longest announcement and question, in characters.
pub const LONGEST_SENTENCE: usize = 300;
/// Longest answer of a poll, in characters.
pub const LONGEST_OPTION: usize = 120;
/// Answers to choose from: what fits a small screen.
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=6;
/// Polls of a class; closed ones stay in every snapshot.
pub const MOST_POLLS: usize = 40;
/// Polls that are open at once.
pub const MOST_OPEN_POLLS: usize = 3;
/// Furthest a timer is set ahead.
pub const LONGEST_TIMER: Duration = Duration::from_secs(6 * 3600);

/// Pages of the board that everybody sees.
pub const BOARD_PAGES: u16 = 100;
/// Number of the board page of small group 0.
pub const GROUP_PAGE: u16 = 1_000;
/// Bytes of a full page as it is sent: a second and a quarter at 64 kbit/s. A page that is full wants
/// another page.
pub const MOST_PAGE_BYTES: usize = 10_000;
/// Points in one message: more than a finger makes between two messages.
pub const MOST_POINTS: usize = 512;
/// Largest coordinate.
pub const MOST_COORDINATE: u16 = 4_095;
/// Colours of the palette.
pub const COLOURS: u8 = 8;
/// Widths of a line, in thousandths of the page's width.
pub const WIDTHS: std::ops::RangeInclusive<u8> = 1..=40;

/// Uploaded slides of a class.
pub const MOST_DECKS: usize = 20;
/// Pages of one upload.
pub const MOST_DECK_PAGES: usize = 100;

/// Small groups.
pub const GROUPS: std::ops::RangeInclusive<u8> = 2..=20;

/// Events of a class: a day of lively drawing. Rebuilding a room reads them all.
pub const MOST_EVENTS: u64 = 200_000;

/// A piece of a recording ends after this time, so that whoever jumps loads little before the place:
/// half a second at 64 kbit/s in an ordinary class.
pub const PIECE_MS: u64 = 120_000;
/// A piece ends before its events are larger than this, as JSON.
pub const PIECE_BYTES: usize = 48_000;
/// Chapters of a class are this far apart at least: less is leafing.
pub const CHAPTERS_APART_MS: u64 = 20_000;
/// Chapters of a class: what somebody looks through.
pub const MOST_CHAPTERS: usize = 200;

/// Acts that become durable in one transaction.
pub const ACTS_AT_ONCE: usize = 64;
/// Questions that wait for the room's owner; who asks more waits in line.
pub const MOST_ASKED: usize = 256;
/// Lines of the shared log: whoever is further behind gets the room anew, which is cheaper then.
pub const LOG_LINES: usize = 512;
/// Bytes of the shared log.
pub const LOG_BYTES: usize = 1 << 20;
/// Messages that wait for one slow link.
pub const SEAT_LINES: usize = 32;
/// Acts of one connection that wait.
pub const SEAT_ACTS: usize = 32;
/// Connections to one room.
pub const MOST_SEATS: usize = 1_200;

/// Somebody without a connection for this long has left: shorter than people wonder, longer than a
/// phone needs to find its link again.
pub const GRACE: Duration = Duration::from_secs(20);
/// A guest without script waits on a page that asks again within this time.
pub const WAIT_GRACE: Duration = Duration::from_secs(45);
/// How often leaders are told how everybody follows.
pub const FOLLOWERS_EVERY: Duration = Duration::from_secs(5);
/// How often the minutes in it are counted anew.
pub const MINUTES_EVERY: Duration = Duration::from_secs(30);
/// A room without anybody is forgotten after this time; the journal has it.
pub const IDLE: Duration = Duration::from_secs(120);
/// Beat of the owner's clock.
pub const BEAT: Duration = Duration::from_secs(1);
