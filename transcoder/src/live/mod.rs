//! A class while it happens: records in on standard input, chunks out on standard output.
//!
//! One thread reads, one decodes pictures, each rung has one that scales and encodes, one writes;
//! sound is decoded and encoded where events are handled, so that it waits for no picture. Every
//! queue is bounded. When the machine is too slow the largest rungs rest, see [`pressure`].

mod adts;
mod container;
mod decode;
mod events;
mod grid;
mod ladder;
mod pictures;
mod pressure;
mod rung;
mod shared;
mod sound;
mod timebase;
mod voices;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Instant;

use millet_manifest::live::{Output, Report, SEGMENT_MS};

use crate::error::Error;
use events::{Coded, Event};
use grid::Place;
use ladder::{FIRST_RUNG, RUNGS};
use pictures::Shot;
use pressure::Pressure;
use shared::{Signs, Sink, Thread};
use sound::Sound;
use timebase::{Lateness, Timebase};

/// How often the run says how it fares, milliseconds of the timeline's clock.
const REPORT_MS: i64 = 2_000;

/// Runs until the input ends. The first media stands at `start_ms` of the timeline. With `patient`
/// nothing is left out however long it takes, as suits what was recorded before.
///
/// # Errors
/// [`Error::Bad`] when what is sent cannot be read at all; everything else is a fault.
pub fn live(start_ms: u64, patient: bool) -> Result<(), Error> {
    if !start_ms.is_multiple_of(SEGMENT_MS) {
        return Err(Error::Fault("a run begins with a segment".into()));
    }
    let start_ms = i64::try_from(start_ms).map_err(|e| Error::Fault(e.to_string()))?;
    let events = events::start()?;
    let (mut run, threads) = Run::open(start_ms, patient)?;
    let mut result = Ok(());
    for event in events {
        match run.take(event) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    let result = result.and(run.end());
    // A thread that failed closes its channel, and then its own error says more.
    let mut why = result;
    for thread in threads {
        let ended = thread
            .join()
            .map_err(|_| Error::Fault("a thread panicked".into()));
        match (&why, ended.and_then(|ended| ended)) {
            (Err(Error::Bad { .. }), _) | (_, Ok(())) => {}
            (_, Err(error)) => why = Err(error),
        }
    }
    why
}

struct Run {
    time: Timebase,
    lateness: Lateness,
    pressure: Pressure,
    patient: bool,
    sound: Sound,
    shots: SyncSender<Shot>,
    /// Pictures were dropped, so the next ones are of no use before a keyframe.
    broken: bool,
    signs: Arc<Signs>,
    sink: Sink,
    reported: Reported,
}

struct Reported {
    clock_ms: i64,
    /// Pictures that came since then.
    pictures: u16,
}

impl Run {
    /// Starts every thread and announces every rendition. The threads end by themselves when the
    /// run is dropped.
    fn open(start_ms: i64, patient: bool) -> Result<(Self, Vec<Thread>), Error> {
        let signs = Signs::new(start_ms);
        let (sink, writer) = Sink::open(signs.clone())?;
        let sound = Sound::open(start_ms, signs.clone(), &sink)?;
        let mut announced = sound.announce().to_vec();
        let mut encoders = Vec::new();
        for rung in &RUNGS {
            let encoder = rung.open()?;
            announced.push(rung.announce(&encoder)?);
            encoders.push(encoder);
        }
        let (renditions, inits): (Vec<_>, Vec<_>) = announced.into_iter().unzip();
        sink.send(Output::Ladder(renditions))?;
        for (rendition, data) in (0..).zip(inits) {
            sink.send(Output::Init { rendition, data })?;
        }
        let (mut rungs, mut threads) = (Vec::new(), Vec::new());
        for ((rung, encoder), index) in RUNGS.iter().zip(encoders).zip(FIRST_RUNG..) {
            let place = Place::new(index, start_ms);
            let (told, thread) = rung::start(rung, encoder, place, signs.clone(), sink.clone())?;
            rungs.push(told);
            threads.push(thread);
        }
        let (shots, thread) = pictures::start(rungs, signs.clone(), sink.clone())?;
        // In this order each thread ends because those before it did.
        threads.insert(0, thread);
        threads.push(writer);
        let run = Self {
            time: Timebase::new(start_ms),
            lateness: Lateness::default(),
            // The rung with still pictures goes on whatever happens.
            pressure: Pressure::new(RUNGS.len() - 1),
            patient,
            sound,
            shots,
            broken: false,
            signs,
            sink,
            reported: Reported {
                clock_ms: start_ms,
                pictures: 0,
            },
        };
        Ok((run, threads))
    }

    /// Handles one event; `false` after the last.
    fn take(&mut self, event: Event) -> Result<bool, Error> {
        match event {
            Event::Video(parameters) => self.shoot(Shot::Config(parameters))?,
            Event::Audio(parameters) => self.sound.configure(parameters)?,
            Event::Picture(coded) => self.picture(coded)?,
            Event::Sound(mut coded) => {
                let at_ms = self.time.place(coded.timestamp_us);
                self.sound.take(&mut coded.packet, at_ms)?;
            }
            Event::Voice(speaker, mut packet) => self.sound.voice(speaker, &mut packet)?,
            Event::Clock(now_ms, read) => self.clock(now_ms, read)?,
            Event::IsContainer => self.time.is_container(),
            Event::Damaged => self.signs.damage(),
            Event::End => return Ok(false),
            Event::Broken(error) => return Err(error),
        }
        Ok(true)
    }

    /// Pictures wait for their decoder as long as nothing is late; then they make way for sound.
    fn picture(&mut self, coded: Coded) -> Result<(), Error> {
        let at_ms = self.time.place(coded.timestamp_us);
        self.signs.seen().mark(at_ms);
        self.reported.pictures = self.reported.pictures.saturating_add(1);
        if self.broken && !coded.key {
            self.signs.skip();
            return Ok(());
        }
        self.broken = false;
        match self.shots.try_send(Shot::Packet(coded.packet, at_ms)) {
            Err(TrySendError::Full(_)) if self.signs.is_late() => {
                self.signs.skip();
                self.broken = true;
                Ok(())
            }
            Err(TrySendError::Full(shot)) => self.shoot(shot),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
            Ok(()) => Ok(()),
        }
    }

    fn shoot(&mut self, shot: Shot) -> Result<(), Error> {
        self.shots.send(shot).map_err(|_| ended())
    }

    fn clock(&mut self, now_ms: i64, read: Instant) -> Result<(), Error> {
        self.time.clock(now_ms);
        self.lateness.clock(now_ms, read);
        let clock_ms = self.time.clock_ms();
        let late = !self.patient && self.lateness.is_late();
        self.signs.set_late(late);
        self.signs.set_resting(self.pressure.judge(late, clock_ms));
        self.sound.wait(self.time.over_ms())?;
        let over = Shot::Over(self.time.over_ms());
        // Whoever is busy with pictures does not need to be told that none come.
        if let Err(TrySendError::Disconnected(_)) = self.shots.try_send(over) {
            return Err(ended());
        }
        if clock_ms - self.reported.clock_ms >= REPORT_MS {
            self.report(clock_ms)?;
        }
        Ok(())
    }

    fn report(&mut self, clock_ms: i64) -> Result<(), Error> {
        let passed_ms = (clock_ms - self.reported.clock_ms).max(1);
        let resting = self.signs.resting().min(RUNGS.len());
        #[allow(
            clippy::cast_precision_loss,
            reason = "a rate for people, from small numbers"
        )]
        let input_fps = f32::from(self.reported.pictures) * 1_000.0 / passed_ms as f32;
        self.reported = Reported {
            clock_ms,
            pictures: 0,
        };
        self.sink.send(Output::Report(Report {
            lag_ms: u64::try_from(clock_ms - self.signs.sent_ms()).unwrap_or(0),
            dropped_rungs: RUNGS[RUNGS.len() - resting..]
                .iter()
                .rev()
                .map(|rung| rung.id.to_owned())
                .collect(),
            input_fps,
            damaged: self.signs.damaged(),
            skipped_frames: self.signs.skipped(),
        }))
    }

    /// Sends what is left of the sound and lets the threads end.
    fn end(mut self) -> Result<(), Error> {
        self.sound.end()
    }
}

fn ended() -> Error {
    Error::Fault("a thread ended early".into())
}
