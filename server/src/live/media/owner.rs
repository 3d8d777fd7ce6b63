//! The owner of one class's media: it alone starts and ends runs of the transcoder, takes what they make
//! into the growing timeline, and has it recorded. Publishers and routes ask it by messages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millet_manifest::live::{Input, Output};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::asks::{Ask, NotNow, Publishing, Told};
use super::pipeline::Pipeline;
use super::recorder::{Gathered, Recorder};
use super::run::{Run, output};
use super::stills::Stills;
use super::voices::{VoicePacket, Voices};
use crate::error::Error;
use crate::id::RunId;
use crate::stream::growing::{Growing, NewChunk, Refused};

/// The child hears the time this often; cuts follow it when nothing else arrives.
const CLOCK_EVERY: Duration = Duration::from_millis(250);
/// Chunks that arrive within this time are shown to viewers together.
const SHOW_WITHIN: Duration = Duration::from_millis(30);
/// A run that is replaced has this long to hand over what it has.
const DRAIN_WITHIN: Duration = Duration::from_millis(1_500);
/// Sound for the endless address that a slow listener may be behind, in records of half a second.
const SOUND_WAITING: usize = 20;

/// Who wants to know whether the teacher's media comes.
pub type HostWatch = Arc<dyn Fn(bool) + Send + Sync>;

/// Everything an owner needs.
pub struct Owner {
    /// The timeline that it feeds.
    pub growing: Arc<Growing>,
    /// Makes it durable.
    pub recorder: Recorder,
    /// The transcoder's program.
    pub transcoder: PathBuf,
    /// ADTS for the endless address.
    pub sound: broadcast::Sender<Bytes>,
    /// Those who have the floor.
    pub voices: Voices,
    /// Is told when the teacher's media comes or stays away.
    pub host: HostWatch,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// A sender of sound with room for slow listeners.
#[must_use]
pub fn sound() -> broadcast::Sender<Bytes> {
    broadcast::Sender::new(SOUND_WAITING)
}

struct State {
    run: Option<Run>,
    /// Number of the next segment to record.
    recorded: usize,
    /// Its media, until it is recorded.
    gathered: Option<Arc<Gathered>>,
    recording: Option<BoxFuture<'static, Result<(), Error>>>,
    stills: Stills,
    /// Chunks wait to be shown since then.
    unshown: Option<Instant>,
    host_present: bool,
    /// Somebody ended the class; nobody publishes any more.
    ending: bool,
}

impl Owner {
    /// Works until the class ends or the server stops.
    pub async fn work(self, mut asks: mpsc::Receiver<Ask>) {
        let mut state = State {
            run: None,
            recorded: self.growing.segments(),
            gathered: None,
            recording: None,
            stills: Stills::new(self.recorder.clone(), self.growing.id()),
            unshown: None,
            host_present: false,
            ending: false,
        };
        let mut voices = self.voices.listen();
        let mut ticks = interval(CLOCK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let show = state.unshown.map(|since| since + SHOW_WITHIN);
            tokio::select! {
                () = self.stop.cancelled() => break,
                ask = asks.recv() => match ask {
                    None => break,
                    Some(Ask::End { reply }) => {
                        let ended = self.end(&mut state).await;
                        let over = ended.is_ok();
                        // Whoever asked may have gone; the class has ended all the same.
                        let _ = reply.send(ended);
                        if over {
                            return;
                        }
                        // What is not stored yet is here alone: it is asked again.
                    }
                    Some(Ask::Publish { run, resumable, take, reply }) => {
                        let answer = self.publish(&mut state, run, resumable, take).await;
                        let _ = reply.send(answer);
                    }
                    Some(Ask::Left { run }) => state.leave(run),
                },
                output = output(&mut state.run) => match output {
                    Some(output) => self.take(&mut state, output),
                    None => self.run_ended(&mut state),
                },
                packet = voices.hear() => state.hear(packet),
                _ = ticks.tick() => self.tick(&mut state).await,
                done = some(&mut state.recording) => {
                    state.recording = None;
                    match self.recorded(&mut state, done) {
                        Ok(()) => self.record(&mut state),
                        // Tried again at the next tick.
                        Err(error) => {
                            tracing::error!(%error, "a live segment could not be recorded");
                        }
                    }
                }
                () = state.stills.stored() => {}
                () = at(show) => self.show(&mut state),
            }
        }
        // The server stops: what is complete is recorded, the rest is the next life's gap.
        drop(state.run.take());
        if let Err(error) = self.record_all(&mut state).await {
            tracing::error!(%error, "the end of a class could not be recorded");
        }
    }

    async fn publish(
        &self,
        state: &mut State,
        id: RunId,
        resumable: bool,
        take: bool,
    ) -> Result<Publishing, NotNow> {
        if state.ending {
            return Err(NotNow::Ended);
        }
        if let Some(run) = &mut state.run {
            let connected = run.left.is_none();
            if connected && run.id != id && !take {
                return Err(NotNow::Occupied);
            }
            run.taken.cancel();
            if run.id == id && resumable && !run.pipeline.inputs.is_closed() {
                run.taken = CancellationToken::new();
                run.left = None;
                run.heard = Instant::now();
                return Ok(self.publishing(run));
            }
            self.finish_run(state).await;
        }
        let now_ms = self.growing.at_ms(self.recorder.clock.now());
        let start_ms = self.growing.next_cut(now_ms);
        let pipeline = Pipeline::start(&self.transcoder, start_ms).map_err(|error| {
            tracing::error!(%error, "a live transcoder could not be started");
            NotNow::Fault
        })?;
        let told = Told {
            recorded_ms: self.recorded_ms(state),
            ..Told::default()
        };
        let run = state.run.insert(Run {
            id,
            resumable,
            pipeline,
            start_ms,
            began: None,
            next: Arc::default(),
            taken: CancellationToken::new(),
            told: watch::Sender::new(told),
            left: None,
            heard: Instant::now(),
            seen_next: 0,
        });
        metrics::counter!("millet_live_runs_total").increment(1);
        Ok(self.publishing(run))
    }

    fn publishing(&self, run: &Run) -> Publishing {
        Publishing {
            inputs: run.pipeline.inputs.clone(),
            next: run.next.clone(),
            taken: run.taken.clone(),
            told: run.told.subscribe(),
            timeline_ms: self.growing.at_ms(self.recorder.clock.now()),
        }
    }

    /// Takes what a run still has, and lets the next begin behind it.
    async fn finish_run(&self, state: &mut State) {
        let Some(mut run) = state.run.take() else {
            return;
        };
        run.taken.cancel();
        // The socket may still hold a sender; a child that does not read is ended by the time limit.
        let _ = run.pipeline.inputs.try_send(Input::End);
        let drain = async {
            while let Some(output) = run.pipeline.outputs.recv().await {
                self.take(state, output);
            }
        };
        if tokio::time::timeout(DRAIN_WITHIN, drain).await.is_err() {
            tracing::warn!("a live transcoder did not hand over its end in time");
        }
        self.growing.cut();
        self.show(state);
    }

    fn take(&self, state: &mut State, output: Output) {
        match output {
            // The same in every run; they were written down when the class opened.
            Output::Ladder(_) | Output::Init { .. } => {}
            Output::Chunk(chunk) => {
                let chunk = NewChunk {
                    rendition: usize::from(chunk.rendition),
                    sequence: chunk.sequence,
                    start_ms: chunk.start_ms,
                    duration_ms: u64::from(chunk.duration_ms),
                    keyframe: chunk.keyframe,
                    payload: chunk.data.into(),
                };
                match self.growing.push(chunk) {
                    Ok(_) => {
                        state.unshown.get_or_insert_with(Instant::now);
                    }
                    Err(Refused::Order) => {
                        metrics::counter!("millet_live_late_chunks_total").increment(1);
                    }
                    Err(error) => tracing::warn!(%error, "a live chunk was refused"),
                }
            }
            Output::Adts { data, .. } => {
                // Nobody listens: nothing is lost.
                let _ = self.sound.send(data.into());
            }
            Output::Still { at_ms, data } => state.stills.keep(at_ms, data.into()),
            Output::Report(report) => {
                if let Some(run) = &state.run {
                    run.told.send_modify(|told| told.report = report);
                }
            }
        }
    }

    fn run_ended(&self, state: &mut State) {
        if let Some(run) = state.run.take() {
            run.told.send_modify(|told| told.broken = true);
        }
        self.growing.cut();
        self.show(state);
    }

    async fn tick(&self, state: &mut State) {
        let now = Instant::now();
        if let Some(run) = &mut state.run {
            run.listen(now);
            run.tell_time(now);
        }
        let present = state.run.as_ref().is_some_and(|run| run.is_heard(now));
        if present != state.host_present {
            state.host_present = present;
            (self.host)(present);
        }
        let gone = state.run.as_ref().is_some_and(|run| run.is_over(now));
        if gone {
            self.finish_run(state).await;
        }
        self.record(state);
    }

    /// Lets viewers see what came.
    fn show(&self, state: &mut State) {
        state.unshown = None;
        self.growing.publish();
    }

    /// Begins to record the next complete segment.
    fn record(&self, state: &mut State) {
        if state.recording.is_some() || state.recorded >= self.growing.complete() {
            return;
        }
        let (recorder, gathered) = (self.recorder.clone(), self.gathered(state));
        state.recording = Some(async move { recorder.record(&gathered).await }.boxed());
    }

    /// The next complete segment, as every try records it.
    fn gathered(&self, state: &mut State) -> Arc<Gathered> {
        let next = || Arc::new(Gathered::of(&self.growing, state.recorded));
        state.gathered.get_or_insert_with(next).clone()
    }

    /// # Errors
    /// When it must be tried again.
    fn recorded(&self, state: &mut State, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Ok(()) => {}
            Err(error @ Error::Conflict(_)) => {
                // It will never be recorded; what is recorded is what will be shown.
                tracing::error!(%error, sequence = state.recorded, "others recorded a live segment");
            }
            Err(error) => return Err(error),
        }
        state.gathered = None;
        state.recorded += 1;
        let recorded_ms = self.recorded_ms(state);
        if let Some(run) = &state.run {
            run.told.send_modify(|told| told.recorded_ms = recorded_ms);
        }
        Ok(())
    }

    fn recorded_ms(&self, state: &State) -> u64 {
        state.recorded as u64 * millet_manifest::live::SEGMENT_MS
    }

    /// Records everything there is.
    async fn record_all(&self, state: &mut State) -> Result<(), Error> {
        // Side by side: one may hold the database for which the other waits.
        let recording = async {
            match state.recording.take() {
                Some(recording) => Some(recording.await),
                None => None,
            }
        };
        let (done, ()) = tokio::join!(recording, state.stills.all_stored());
        if let Some(done) = done {
            self.recorded(state, done)?;
        }
        self.growing.cut();
        while state.recorded < self.growing.complete() {
            let gathered = self.gathered(state);
            let done = self.recorder.record(&gathered).await;
            self.recorded(state, done)?;
        }
        Ok(())
    }

    async fn end(&self, state: &mut State) -> Result<(), Error> {
        state.ending = true;
        self.finish_run(state).await;
        if std::mem::take(&mut state.host_present) {
            (self.host)(false);
        }
        self.record_all(state).await
    }
}

impl State {
    /// Without a run nobody would hear it; a child that is so far behind hears the next packet.
    fn hear(&self, packet: VoicePacket) {
        if let Some(run) = &self.run {
            let voice = Input::Voice {
                speaker: packet.speaker,
                data: packet.data.into(),
            };
            let _ = run.pipeline.inputs.try_send(voice);
        }
    }

    fn leave(&mut self, id: RunId) {
        if let Some(run) = self.run.as_mut().filter(|run| run.id == id) {
            // Another socket may have taken the run over already.
            if run.told.receiver_count() == 0 {
                run.left = Some(Instant::now());
            }
        }
    }
}

async fn some<T>(pending: &mut Option<BoxFuture<'static, T>>) -> T {
    match pending {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
