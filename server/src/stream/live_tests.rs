//! A growing timeline under everything that a link, a teacher and a busy machine do to it: no viewer
//! gets a chunk twice, misses one without being told, or begins in the middle of a group of pictures.

use std::sync::Arc;

use bytes::Bytes;
use millet_manifest::{FileRef, Kind, Rendition};
use proptest::prelude::*;

use super::ack_delay::{LONG_MS, SHORT_MS};
use super::frame::Frame;
use super::growing::{self, Growing, NewChunk, Refused};
use super::index::Index;
use super::ladder::Ladder;
use super::viewer::{LIVE_START_MS, Next, Start, Viewer};
use super::wire::{Ack, Follow, Payload, Resume, ServerMessage, flag};
use crate::clock::Timestamp;
use crate::id::TimelineId;
use crate::learning::evidence::delivered::Delivered;

const SEGMENT_MS: u64 = 2_000;
const CHUNK_MS: u64 = 500;
/// Sound, stills, and two sizes of pictures; bytes of a chunk.
const RENDITIONS: [(&str, Kind, usize); 4] = [
    ("opus16", Kind::Audio, 1_100),
    ("s360", Kind::Stills, 900),
    ("v240", Kind::Video, 6_000),
    ("v360", Kind::Video, 15_000),
];

fn rendition(id: &str, kind: Kind, bytes: usize) -> Rendition {
    Rendition {
        id: id.into(),
        kind,
        codec: if kind == Kind::Audio {
            "opus".into()
        } else {
            "avc1.42e01f".into()
        },
        width: 0,
        // Each picture is a rung of its own.
        height: u32::try_from(bytes).unwrap(),
        frame_rate_milli: 0,
        sample_rate: 0,
        channels: 0,
        average_bps: 0,
        peak_bps: bytes as u64 * 16,
        init: FileRef {
            file: format!("live/{id}/init.mp4"),
            bytes: 100,
        },
        segments: Vec::new(),
    }
}

/// A teacher and the machine that encodes.
struct Class {
    growing: Growing,
    /// Number of the next chunk on the grid.
    at: u64,
    /// What each rendition has had, by segment and part.
    made: Vec<Vec<(u32, u64)>>,
    /// Stills of a new run begin with a keyframe.
    new_run: bool,
}

impl Class {
    fn new() -> Self {
        let renditions = RENDITIONS.map(|(id, kind, bytes)| rendition(id, kind, bytes));
        let grown = growing::empty(renditions.to_vec(), SEGMENT_MS, 7);
        let inits = vec![Bytes::from_static(b"init"); RENDITIONS.len()];
        Self {
            growing: Growing::new(TimelineId::new(), Timestamp(0), grown, inits),
            at: 0,
            made: vec![Vec::new(); RENDITIONS.len()],
            new_run: false,
        }
    }

    /// Half a second of class; `left_out` names renditions whose chunk does not come. What hangs on it
    /// comes all the same.
    fn teach(&mut self, left_out: u8) {
        self.teach_telling(left_out, |_| ());
    }

    /// The same, and `each` after every chunk: viewers see them one by one, stills first.
    fn teach_telling(&mut self, left_out: u8, mut each: impl FnMut(&Self)) {
        let sequence = u32::try_from(self.at / 4).unwrap();
        let start_ms = self.at * CHUNK_MS;
        for (index, (_, kind, bytes)) in RENDITIONS.into_iter().enumerate() {
            // Sound is never left out.
            if kind != Kind::Audio && left_out & (1 << index) != 0 {
                continue;
            }
            let first = self.at.is_multiple_of(4);
            let keyframe = match kind {
                Kind::Audio => true,
                Kind::Stills => first && (sequence.is_multiple_of(4) || self.new_run),
                Kind::Video => first,
            };
            let chunk = NewChunk {
                rendition: index,
                sequence,
                start_ms,
                duration_ms: CHUNK_MS,
                keyframe,
                payload: vec![0; bytes].into(),
            };
            if self.growing.push(chunk).is_ok() {
                self.made[index].push((sequence, start_ms));
                self.new_run &= kind != Kind::Stills;
            }
            self.growing.publish();
            each(self);
        }
        self.at += 1;
    }

    /// The teacher's link is gone for some segments.
    fn pause(&mut self, segments: u64) {
        self.growing.cut();
        self.new_run = true;
        self.at = (self.at.div_ceil(4) + segments) * 4;
        self.growing.publish();
    }

    fn index(&self) -> Arc<Index> {
        self.growing.index().borrow().clone()
    }
}

/// A client: what it got, and what it has acknowledged.
struct Client {
    viewer: Viewer,
    now_ms: u64,
    got: Vec<Frame>,
    said: Vec<ServerMessage>,
    /// Got by the connection that lives, and acknowledged of it.
    bytes: u64,
    acked: u64,
}

fn join(
    index: &Arc<Index>,
    resume: Option<Resume>,
    last: Option<(usize, usize)>,
    follow: Follow,
) -> Viewer {
    let ladder = Ladder::of(index, &["opus".to_owned(), "avc1".to_owned()]).unwrap();
    let start = Start {
        epoch: resume.map_or(7, |resume| resume.epoch),
        position_ms: index.duration_ms().saturating_sub(LIVE_START_MS),
        resume,
        last_rung: last,
        bandwidth_bps: None,
        pin: None,
        budget: None,
        delivered: Delivered::default(),
        since: Timestamp(0),
        follow,
    };
    Viewer::new(index.clone(), ladder, start)
}

impl Client {
    fn new(class: &Class, follow: Follow) -> Self {
        Self {
            viewer: join(&class.index(), None, None, follow),
            now_ms: 0,
            got: Vec::new(),
            said: Vec::new(),
            bytes: 0,
            acked: 0,
        }
    }

    /// Takes what comes, and acknowledges a share of what was not yet.
    fn listen(&mut self, class: &Class, share: u64) {
        self.now_ms += 500;
        self.viewer.grow(class.index());
        loop {
            match self.viewer.next(self.now_ms) {
                Next::Send(frame) => {
                    self.bytes += frame.message_bytes();
                    self.got.push(frame);
                }
                Next::Say(ServerMessage::End) => panic!("a class that goes on does not end"),
                Next::Say(message) => self.said.push(message),
                Next::Vouch => {}
                Next::Wait => break,
            }
        }
        self.acked += (self.bytes - self.acked) * share / 8;
        let ack = Ack {
            bytes: self.acked,
            buffer_ms: 1_000,
            ..Ack::default()
        };
        self.viewer.ack(&ack, self.now_ms + 100);
    }

    /// The link breaks; the client comes back with what it got.
    fn cut(&mut self, class: &Class, follow: Follow) {
        let newest = |audio: bool| {
            let chunks = self.got.iter().rev();
            chunks
                .map(|frame| frame.header)
                .find(|header| header.payload == Payload::Chunk && header.has(flag::AUDIO) == audio)
        };
        let (audio, video) = (newest(true), newest(false));
        let resume = Resume {
            epoch: 7,
            video_sequence: video.map(|header| header.sequence),
            video_part: video.map(|header| header.part),
            audio_sequence: audio.map(|header| header.sequence),
            audio_part: audio.map(|header| header.part),
        };
        let (rung, from) = self.viewer.rung();
        let last = self.viewer.ladder().find(rung).map(|rung| (rung, from));
        self.viewer = join(&class.index(), Some(resume), last, follow);
        self.bytes = 0;
        self.acked = 0;
    }
}

/// What must hold of everything one lane got.
fn check_lane(class: &Class, chunks: &[&Frame]) -> Result<(), TestCaseError> {
    for pair in chunks.windows(2) {
        let (before, next) = (&pair[0].header, &pair[1].header);
        prop_assert!(
            (before.sequence, before.part) < (next.sequence, next.part)
                && before.start_ms < next.start_ms,
            "twice or back: {before:?} {next:?}"
        );
        let missing = next.start_ms != before.start_ms + before.duration_ms;
        prop_assert!(
            !missing || next.has(flag::GAP),
            "an unmarked gap: {before:?} {next:?}"
        );
        let begins = missing || before.rendition != next.rendition;
        prop_assert!(
            !begins || next.has(flag::KEYFRAME),
            "into the middle of a group: {before:?} {next:?}"
        );
    }
    for frame in chunks {
        let made = &class.made[usize::from(frame.header.rendition)];
        let place = (frame.header.sequence, u64::from(frame.header.start_ms));
        prop_assert!(made.contains(&place), "never made: {:?}", frame.header);
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    Teach { left_out: u8 },
    TeachSlowly { share: u64 },
    Pause { segments: u64 },
    Listen { share: u64 },
    Cut,
    Follow(Follow),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop_oneof![4 => Just(0_u8), 1 => 0_u8..16].prop_map(|left_out| Step::Teach { left_out }),
        3 => (0_u64..=8).prop_map(|share| Step::TeachSlowly { share }),
        1 => (0_u64..4).prop_map(|segments| Step::Pause { segments }),
        6 => (0_u64..=8).prop_map(|share| Step::Listen { share }),
        1 => Just(Step::Cut),
        1 => prop_oneof![Just(Follow::Edge), Just(Follow::All)].prop_map(Step::Follow),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn nothing_comes_twice_and_nothing_is_missing_unmarked(steps in prop::collection::vec(step(), 1..200)) {
        let mut class = Class::new();
        for _ in 0..4 {
            class.teach(0);
        }
        let mut follow = Follow::Edge;
        let mut client = Client::new(&class, follow);
        for step in steps {
            match step {
                Step::Teach { left_out } => class.teach(left_out),
                Step::TeachSlowly { share } => {
                    class.teach_telling(0, |class| client.listen(class, share));
                }
                Step::Pause { segments } => class.pause(segments),
                Step::Listen { share } => client.listen(&class, share),
                Step::Cut => client.cut(&class, follow),
                Step::Follow(wish) => {
                    follow = wish;
                    client.viewer.follow(wish);
                }
            }
        }
        for _ in 0..8 {
            client.listen(&class, 8);
        }
        let lane = |audio: bool| -> Vec<&Frame> {
            client.got.iter().filter(|frame| {
                frame.header.payload == Payload::Chunk && frame.header.has(flag::AUDIO) == audio
            }).collect()
        };
        check_lane(&class, &lane(true))?;
        check_lane(&class, &lane(false))?;
    }
}

#[test]
fn whoever_is_at_ease_gets_pictures_though_stills_are_there_before_them() {
    let mut class = Class::new();
    for _ in 0..4 {
        class.teach(0);
    }
    let mut client = Client::new(&class, Follow::Edge);
    for _ in 0..60 {
        class.teach_telling(0, |class| client.listen(class, 8));
    }
    let newest = client
        .got
        .iter()
        .rev()
        .find(|frame| !frame.header.has(flag::AUDIO))
        .unwrap();
    assert_eq!(newest.header.rendition, 3, "{:?}", newest.header);
}

#[test]
fn fewer_acknowledgements_are_asked_for_where_the_link_is_calm() {
    let mut class = Class::new();
    for _ in 0..4 {
        class.teach(0);
    }
    let mut client = Client::new(&class, Follow::Edge);
    client.viewer.pin(Some("v240"));
    let asked = |client: &Client| -> Vec<u64> {
        let asked = client.said.iter().filter_map(|message| match message {
            ServerMessage::AckDelay { most_ms } => Some(*most_ms),
            _ => None,
        });
        asked.collect()
    };
    let mut lesson = |client: &mut Client, chunks: usize, share: u64| {
        for _ in 0..chunks {
            class.teach(0);
            client.listen(&class, share);
        }
    };
    lesson(&mut client, 20, 8);
    assert_eq!(asked(&client), [LONG_MS]);
    // Less arrives than is sent.
    lesson(&mut client, 4, 2);
    assert_eq!(asked(&client), [LONG_MS, SHORT_MS]);
    lesson(&mut client, 20, 8);
    // Another rung needs another window.
    client.viewer.pin(Some("v360"));
    lesson(&mut client, 5, 8);
    assert_eq!(asked(&client), [LONG_MS, SHORT_MS, LONG_MS, SHORT_MS]);
}

#[test]
fn late_chunks_are_refused_and_a_new_run_begins_behind_everything() {
    let mut class = Class::new();
    for _ in 0..9 {
        class.teach(0);
    }
    let late = NewChunk {
        rendition: 0,
        sequence: 1,
        start_ms: 3_500,
        duration_ms: 500,
        keyframe: true,
        payload: Bytes::from_static(b"late"),
    };
    assert_eq!(class.growing.push(late.clone()), Err(Refused::Order));
    let strange = NewChunk {
        rendition: 9,
        ..late
    };
    assert_eq!(class.growing.push(strange), Err(Refused::Rendition));
    assert_eq!(class.growing.complete(), 2);
    class.growing.cut();
    assert_eq!(class.growing.complete(), 3);
    assert_eq!(class.growing.next_cut(4_600), 6_000);
    assert_eq!(class.growing.next_cut(11_000), 10_000);
}

#[test]
fn viewers_near_the_present_share_one_message() {
    let mut class = Class::new();
    for _ in 0..8 {
        class.teach(0);
    }
    let (mut one, mut other) = (
        Client::new(&class, Follow::Edge),
        Client::new(&class, Follow::Edge),
    );
    one.listen(&class, 8);
    other.listen(&class, 8);
    let chunk = |client: &Client| {
        let frame = client
            .got
            .iter()
            .find(|f| f.header.payload == Payload::Chunk)
            .unwrap();
        class.growing.message(&frame.header).unwrap()
    };
    let (first, second) = (chunk(&one), chunk(&other));
    assert_eq!(
        first.body().as_ptr(),
        second.body().as_ptr(),
        "the same bytes, not a copy"
    );
}
