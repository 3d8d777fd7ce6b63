//! One task for each speaker, and one for each note that the class hears.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::TaskTracker;

use super::Floor;
use super::speech::{Live, Note, Refused};
use super::wire::{FloorAnswer, LONGEST_PACKET, SpeakerMessage, SpeechKind};
use crate::allowance::Allowance;
use crate::live::farewell::{self, Farewell, GONE};
use crate::live::media::voices::{VoicePacket, Voices};
use crate::websocket::{Bounds, Message, Socket};

/// The first message must come within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Silence after which a speaker is gone.
const SILENT_FOR: Duration = Duration::from_secs(14);
/// A note may take this long to arrive.
const NOTE_WITHIN: Duration = Duration::from_secs(180);
/// Some packets are read at once.
pub(super) const BOUNDS: Bounds = Bounds {
    read_buffer: 2 << 10,
    longest_message: 2 * LONGEST_PACKET,
    waiting_words: 16 << 10,
};
/// Messages, at once and each second: packets may be as short as 20 ms, and a note comes as fast as it can.
const MESSAGES_AT_ONCE: f64 = 3_100.0;
const MESSAGES_EACH_SECOND: f64 = 100.0;

const BYE: Farewell = (1000, None);
const NO_FLOOR: Farewell = (1008, Some("no_floor"));
const MALFORMED: Farewell = (1008, Some("malformed"));
const TOO_FAST: Farewell = (1008, Some("too_fast"));
const TOO_LONG: Farewell = (1008, Some("too_long"));
const NO_HELLO: Farewell = (1008, None);

impl From<Refused> for Farewell {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed => MALFORMED,
            Refused::TooFast => TOO_FAST,
            Refused::TooLong => TOO_LONG,
        }
    }
}

/// Serves a speaker until he or she ends, or the floor does.
pub(super) async fn serve(
    voices: Voices,
    floor: Option<Floor>,
    tasks: TaskTracker,
    mut socket: Socket,
) {
    let end = match speak(voices, floor, tasks, &mut socket).await {
        Ok(()) => BYE,
        Err(end) => end,
    };
    farewell::say(&mut socket, end, |code| {
        text(&FloorAnswer::Problem { code })
    })
    .await;
}

async fn speak(
    voices: Voices,
    floor: Option<Floor>,
    tasks: TaskTracker,
    socket: &mut Socket,
) -> Result<(), Farewell> {
    let mut heard = Heard {
        at: Instant::now(),
        messages: Allowance::new(MESSAGES_AT_ONCE, MESSAGES_EACH_SECOND),
    };
    let first = timeout(HELLO_WITHIN, heard.next(socket)).await;
    let Said::Message(SpeakerMessage::Hello { kind }) = first.map_err(|_| NO_HELLO)?? else {
        return Err(MALFORMED);
    };
    let mut floor = floor.filter(Floor::is_held).ok_or(NO_FLOOR)?;
    answer(socket, &FloorAnswer::Welcome).await?;
    match kind {
        SpeechKind::Live => {
            let mut live = Live::default();
            let speaker = voices.speaker();
            loop {
                let packet = tokio::select! {
                    () = floor.taken() => return Err(NO_FLOOR),
                    said = heard.next(socket) => match said? {
                        Said::Packet(packet) => packet,
                        Said::Message(SpeakerMessage::Over) => return Ok(()),
                        Said::Message(SpeakerMessage::Hello { .. }) => return Err(MALFORMED),
                    },
                };
                live.take(&packet, heard.at)?;
                voices.say(VoicePacket {
                    speaker,
                    data: packet,
                });
            }
        }
        SpeechKind::Note => {
            let note = tokio::select! {
                () = floor.taken() => return Err(NO_FLOOR),
                note = timeout(NOTE_WITHIN, receive(&mut heard, socket)) => note.map_err(|_| GONE)??,
            };
            let duration_ms = note.lasts_ms();
            answer(socket, &FloorAnswer::Kept { duration_ms }).await?;
            tasks.spawn(play(voices, floor, note));
            Ok(())
        }
    }
}

async fn receive(heard: &mut Heard, socket: &mut Socket) -> Result<Note, Farewell> {
    let mut note = Note::default();
    loop {
        match heard.next(socket).await? {
            Said::Packet(packet) => note.take(packet)?,
            Said::Message(SpeakerMessage::Over) => return Ok(note),
            Said::Message(SpeakerMessage::Hello { .. }) => return Err(MALFORMED),
        }
    }
}

/// Says a note as fast as it was spoken, until the floor is taken. A minute at most.
async fn play(voices: Voices, mut floor: Floor, note: Note) {
    let speaker = voices.speaker();
    let mut due = Instant::now();
    for (data, lasts_us) in note.into_packets() {
        tokio::select! {
            () = floor.taken() => return,
            () = sleep_until(due) => {}
        }
        voices.say(VoicePacket { speaker, data });
        due += Duration::from_micros(u64::from(lasts_us));
    }
}

/// What a speaker sent.
enum Said {
    Message(SpeakerMessage),
    Packet(Bytes),
}

/// Follows whether a speaker is there, and how much comes.
struct Heard {
    at: Instant,
    messages: Allowance,
}

impl Heard {
    async fn next(&mut self, socket: &mut Socket) -> Result<Said, Farewell> {
        loop {
            let message = tokio::select! {
                () = sleep_until(self.at + SILENT_FOR) => return Err(GONE),
                message = socket.recv() => message,
            };
            self.at = Instant::now();
            if !self.messages.take(1.0, self.at) {
                return Err(TOO_FAST);
            }
            return match message {
                Some(Ok(Message::Text(text))) => serde_json::from_str(&text)
                    .map(Said::Message)
                    .map_err(|_| MALFORMED),
                Some(Ok(Message::Binary(packet))) => Ok(Said::Packet(packet)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(GONE),
            };
        }
    }
}

async fn answer(socket: &mut Socket, answer: &FloorAnswer) -> Result<(), Farewell> {
    socket.send(text(answer)).await.map_err(|_| GONE)
}

fn text(message: &FloorAnswer) -> Message {
    // Strings and numbers always serialise.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}
