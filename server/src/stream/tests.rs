//! The viewer as a state machine: what goes out, when, and what it was told to keep to.

use std::sync::Arc;

use millet_manifest::Timeline;
use proptest::prelude::*;

use super::frame::Frame;
use super::index::Index;
use super::ladder::Ladder;
use super::testing::lecture;
use super::viewer::{MOST_BUFFER_MS, Next, Start, Viewer};
use super::wire::{Ack, Follow, Payload, Resume, RungReason, ServerMessage, flag};
use crate::clock::Timestamp;
use crate::learning::evidence::delivered::Delivered;

fn start() -> Start {
    Start {
        epoch: 1,
        position_ms: 0,
        resume: None,
        last_rung: None,
        bandwidth_bps: None,
        pin: None,
        budget: None,
        delivered: Delivered::default(),
        since: Timestamp(1_000),
        follow: Follow::All,
    }
}

fn ladder(timeline: &Timeline) -> Ladder {
    Ladder::of(
        &Index::Closed(Arc::new(timeline.clone())),
        &["avc1".to_owned(), "opus".to_owned()],
    )
    .unwrap()
}

fn viewer(duration_ms: u64, start: Start) -> Viewer {
    let timeline = Arc::new(lecture(duration_ms));
    let ladder = ladder(&timeline);
    Viewer::new(Arc::new(Index::Closed(timeline)), ladder, start)
}

/// A link of so many bits per second without delay, and a player with this much stored; what went
/// out until it waits.
struct Link {
    now_ms: f64,
    bps: f64,
    acked: u64,
    frames: Vec<Frame>,
    said: Vec<ServerMessage>,
}

fn ack(bytes: u64, buffer_ms: u64) -> Ack {
    Ack {
        bytes,
        buffer_ms,
        ..Ack::default()
    }
}

impl Link {
    fn new(bps: f64) -> Self {
        Self {
            now_ms: 0.0,
            bps,
            acked: 0,
            frames: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Sends and acknowledges at once, until nothing goes out or `most` frames did.
    fn run(&mut self, viewer: &mut Viewer, buffer_ms: u64, most: usize) {
        let until = self.frames.len() + most;
        while self.frames.len() < until {
            match viewer.next(self.now_ms as u64) {
                Next::Send(frame) => {
                    self.now_ms += frame.message_bytes() as f64 * 8000.0 / self.bps;
                    self.acked += frame.message_bytes();
                    viewer.ack(&ack(self.acked, buffer_ms), self.now_ms as u64);
                    self.frames.push(frame);
                }
                Next::Say(message) => self.said.push(message),
                Next::Vouch => {}
                Next::Wait => return,
            }
        }
    }

    fn rungs(&self) -> Vec<(&str, RungReason)> {
        self.said
            .iter()
            .filter_map(|message| match message {
                ServerMessage::Rung { rung, reason } => Some((rung.as_str(), *reason)),
                _ => None,
            })
            .collect()
    }

    fn bytes(&self) -> u64 {
        self.frames.iter().map(Frame::message_bytes).sum()
    }
}

#[test]
fn sound_goes_first_and_stays_a_little_ahead() {
    let mut viewer = viewer(64_000, start());
    let mut link = Link::new(100_000.0);
    link.run(&mut viewer, 1, usize::MAX);
    assert!(link.frames[0].header.has(flag::AUDIO));
    let (mut audio, mut video) = (0, 0);
    for frame in link
        .frames
        .iter()
        .filter(|f| f.header.payload == Payload::Chunk)
    {
        let end = frame.header.start_ms + frame.header.duration_ms;
        if frame.header.has(flag::AUDIO) {
            audio = end;
        } else {
            video = end;
        }
        assert!(audio >= video.min(64_000), "sound {audio}, picture {video}");
        assert!(audio <= video + 6_000, "sound {audio}, picture {video}");
    }
    assert_eq!((audio, video), (64_000, 64_000));
    assert_eq!(link.said.last(), Some(&ServerMessage::End));
}

#[test]
fn a_slow_link_stays_low_a_fast_one_rises_and_a_slower_one_falls() {
    let mut slow = Link::new(20_000.0);
    let mut one = viewer(600_000, start());
    slow.run(&mut one, 12_000, 200);
    assert_eq!(slow.rungs(), [("s480", RungReason::Start)]);

    let mut link = Link::new(2_000_000.0);
    let mut viewer = viewer(3_600_000, start());
    link.run(&mut viewer, 12_000, 40);
    assert_eq!(viewer.rung().0, "v480");
    link.bps = 60_000.0;
    link.run(&mut viewer, 3_000, 60);
    assert_eq!(viewer.rung().0, "v240");
    link.bps = 13_000.0;
    link.run(&mut viewer, 3_000, 60);
    assert_eq!(viewer.rung().0, "audio");
    let before = link.frames.len();
    link.bps = 300_000.0;
    link.run(&mut viewer, 12_000, 400);
    assert_eq!(viewer.rung().0, "v480");
    // Pictures come back with the initialisation and the first chunk of a segment.
    let back: Vec<&Frame> = link.frames[before..]
        .iter()
        .filter(|f| !f.header.has(flag::AUDIO))
        .collect();
    assert_eq!(back[0].header.payload, Payload::Init);
    assert_eq!(back[1].header.part, 0);
}

#[test]
fn a_full_store_waits_and_goes_on_when_it_is_played() {
    let mut viewer = viewer(600_000, start());
    let mut link = Link::new(1_000_000.0);
    link.run(&mut viewer, 1, 10);
    viewer.ack(&ack(link.acked, MOST_BUFFER_MS), 0);
    link.run(&mut viewer, MOST_BUFFER_MS, 10);
    assert_eq!(link.frames.len(), 10);
    viewer.ack(&ack(link.acked, MOST_BUFFER_MS - 5_000), 0);
    link.run(&mut viewer, MOST_BUFFER_MS - 5_000, 1);
    assert_eq!(link.frames.len(), 11);
}

#[test]
fn a_budget_that_the_rest_does_not_fit_into_brings_a_cheaper_rung_and_then_a_stop() {
    // Stills take 2 kB/s: the hour does not fit into 6 MB, with sound alone it does.
    let mut one = viewer(
        3_600_000,
        Start {
            budget: Some(6_000_000),
            ..start()
        },
    );
    let mut link = Link::new(500_000.0);
    link.run(&mut one, 1, usize::MAX);
    assert!(link.rungs().contains(&("audio", RungReason::Budget)));
    assert!(link.bytes() <= 6_000_000);
    assert_eq!(link.said.last(), Some(&ServerMessage::End));

    let mut none = viewer(
        600_000,
        Start {
            budget: Some(0),
            ..start()
        },
    );
    let mut link = Link::new(500_000.0);
    link.run(&mut none, 1, usize::MAX);
    assert!(link.frames.is_empty());
    assert_eq!(link.said.last(), Some(&ServerMessage::BudgetReached));
    assert!(
        none.delivered().parts().is_empty(),
        "nothing was sent, nothing is vouched for"
    );
    none.budget(Some(10_000));
    link.run(&mut none, 1, usize::MAX);
    assert!((1..=10_000).contains(&link.bytes()));
}

#[test]
fn a_pinned_rung_is_kept_and_an_unknown_one_changes_nothing() {
    let mut viewer = viewer(600_000, start());
    let mut link = Link::new(30_000.0);
    viewer.pin(Some("v480"));
    link.run(&mut viewer, 1, 100);
    assert_eq!(link.rungs().last(), Some(&("v480", RungReason::Pinned)));
    viewer.pin(Some("v9000"));
    link.run(&mut viewer, 1, 100);
    assert_eq!(viewer.rung().0, "v480");
    viewer.pin(None);
    link.run(&mut viewer, 1, 200);
    assert_ne!(viewer.rung().0, "v480");
}

#[test]
fn what_was_fetched_for_an_older_epoch_costs_neither_credit_nor_budget() {
    let mut viewer = viewer(
        600_000,
        Start {
            budget: Some(50_000),
            ..start()
        },
    );
    let mut link = Link::new(100_000.0);
    link.run(&mut viewer, 1, 5);
    let frame = loop {
        if let Next::Send(frame) = viewer.next(0) {
            break frame;
        }
    };
    let before = viewer.credit().in_flight();
    viewer.seek(300_000, 9);
    viewer.dropped(&frame);
    assert_eq!(before - viewer.credit().in_flight(), frame.message_bytes());
    link.run(&mut viewer, 1, 1);
    assert_eq!(link.frames[5].header.epoch, 9);
    assert_eq!(link.frames[5].header.start_ms, 300_000);
}

#[test]
fn running_dry_is_noticed_once() {
    let mut viewer = viewer(600_000, start());
    assert!(!viewer.ack(&ack(0, 0), 0));
    assert!(!viewer.ack(&ack(0, 5_000), 0));
    assert!(viewer.ack(&ack(0, 0), 0));
    assert!(!viewer.ack(&ack(0, 0), 0));
}

proptest! {
    #[test]
    fn wherever_it_is_cut_nothing_is_missing_and_nothing_comes_twice(
        cuts in prop::collection::vec((1_usize..40, 8_000_f64..3_000_000.0), 1..12)
    ) {
        let timeline = Arc::new(lecture(200_000));
        let mut last: [Option<(u32, u16)>; 2] = [None, None];
        let (mut rung, mut delivered) = (None, Delivered::default());
        let mut seen: [Vec<(u32, u32)>; 2] = [Vec::new(), Vec::new()];
        for (connection, (most, bps)) in cuts.into_iter().chain([(usize::MAX, 9e6)]).enumerate() {
            let [video, audio] = last;
            let resume = (connection > 0).then_some(Resume {
                epoch: 1,
                video_sequence: video.map(|v| v.0),
                video_part: video.map(|v| v.1),
                audio_sequence: audio.map(|a| a.0),
                audio_part: audio.map(|a| a.1),
            });
            let start = Start { resume, last_rung: rung, delivered: delivered.clone(), ..start() };
            let mut viewer = Viewer::new(Arc::new(Index::Closed(timeline.clone())), ladder(&timeline), start);
            let mut link = Link::new(bps);
            while link.frames.len() < most {
                let before = link.frames.len();
                link.run(&mut viewer, 9_000, 1);
                if link.frames.len() == before {
                    break;
                }
                // The receipt that came before this frame names its rung.
                rung = ladder(&timeline).find(viewer.rung().0).map(|at| (at, viewer.rung().1));
            }
            for frame in link.frames.iter().filter(|f| f.header.payload == Payload::Chunk) {
                let lane = usize::from(frame.header.has(flag::AUDIO));
                last[lane] = Some((frame.header.sequence, frame.header.part));
                seen[lane].push((frame.header.start_ms, frame.header.start_ms + frame.header.duration_ms));
            }
            delivered = viewer.delivered().clone();
        }
        let audio = &seen[1];
        prop_assert_eq!(audio.first().map(|c| c.0), Some(0));
        prop_assert!(audio.windows(2).all(|pair| pair[0].1 == pair[1].0), "sound {:?}", audio);
        prop_assert_eq!(audio.last().map(|c| c.1), Some(200_000));
        // Pictures may pause while sound goes on alone, but never go back.
        prop_assert!(seen[0].windows(2).all(|pair| pair[0].1 <= pair[1].0), "pictures {:?}", seen[0]);
        let whole = delivered.parts().iter().map(|part| part.until_ms - part.from_ms).sum::<i64>();
        prop_assert_eq!(whole, 200_000);
    }
}
