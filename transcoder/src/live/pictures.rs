//! The thread that decodes pictures, brings them onto the canvas and hands them to the rungs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use ffmpeg_next::{Packet, codec, frame};
use millet_manifest::live::Output;

use super::decode::PictureDecoder;
use super::ladder::{CANVAS, FASTEST_MILLI};
use super::rung::Told;
use super::shared::{Signs, Sink, Thread};
use crate::colours::Colours;
use crate::error::Error;
use crate::normalise::{Fit, Normaliser};
use crate::picture::{Picture, Thumb};
use crate::stills;

/// Packets that wait to be decoded: a second or two.
const WAITING: usize = 32;
/// The index gets a picture at most this often, milliseconds, and only when so much changed since
/// the last one, thousandths.
const STILL_APART_MS: i64 = 8_000;
const STILL_CHANGE_PERMILLE: u32 = 60;

/// What the thread is told.
pub(crate) enum Shot {
    /// What follows is coded like this.
    Config(codec::Parameters),
    /// A coded picture of this time.
    Packet(Packet, i64),
    /// What ends by this time was waited for long enough.
    Over(i64),
}

/// Starts the thread; it ends when the channel closes.
pub(crate) fn start(
    rungs: Vec<SyncSender<Told>>,
    signs: Arc<Signs>,
    sink: Sink,
) -> Result<(SyncSender<Shot>, Thread), Error> {
    let (sender, shots) = sync_channel(WAITING);
    let thread = std::thread::Builder::new()
        .name("pictures".into())
        .spawn(move || {
            Pictures {
                awake: rungs.len(),
                rungs,
                signs,
                sink,
                decoder: None,
                canvas: Normaliser::new(0, CANVAS.0, CANVAS.1, false, Fit::Pad),
                last_ms: i64::MIN,
                slot: i64::MIN,
                still: None,
            }
            .run(&shots)
        })?;
    Ok((sender, thread))
}

struct Pictures {
    rungs: Vec<SyncSender<Told>>,
    /// How many of them do not rest.
    awake: usize,
    signs: Arc<Signs>,
    sink: Sink,
    decoder: Option<PictureDecoder>,
    canvas: Normaliser,
    last_ms: i64,
    slot: i64,
    still: Option<(i64, Thumb)>,
}

impl Pictures {
    fn run(&mut self, shots: &Receiver<Shot>) -> Result<(), Error> {
        for shot in shots {
            match shot {
                Shot::Config(parameters) => self.decoder = Some(PictureDecoder::open(parameters)?),
                Shot::Packet(packet, at_ms) => self.decode(packet, at_ms)?,
                Shot::Over(over_ms) => self.tell(|| Told::Over(over_ms))?,
            }
        }
        Ok(())
    }

    fn decode(&mut self, mut packet: Packet, at_ms: i64) -> Result<(), Error> {
        let Some(decoder) = &mut self.decoder else {
            self.signs.damage();
            return Ok(());
        };
        let (pictures, damaged) = decoder.decode(&mut packet, at_ms);
        if damaged {
            self.signs.damage();
        }
        for (picture, at_ms) in pictures {
            self.show(picture, at_ms)?;
        }
        Ok(())
    }

    fn show(&mut self, mut picture: frame::Video, at_ms: i64) -> Result<(), Error> {
        // Times that stand still or run back would put two pictures on one moment.
        if at_ms <= self.last_ms || at_ms < 0 {
            return Ok(());
        }
        self.last_ms = at_ms;
        let slot = at_ms.saturating_mul(FASTEST_MILLI) / 1_000_000;
        if slot <= self.slot {
            return self.tell(|| Told::Passed(at_ms));
        }
        self.slot = slot;
        picture.set_pts(Some(at_ms));
        let mut ready = Vec::new();
        let passed = self.canvas.pass(picture, |frame| {
            ready.push(Picture::new(frame));
            Ok(())
        });
        if passed.is_err() {
            // A form that no filter takes; the next picture gets filters of its own.
            self.canvas = Normaliser::new(0, CANVAS.0, CANVAS.1, false, Fit::Pad);
            self.signs.damage();
        }
        for picture in ready {
            let picture = Arc::new(picture);
            self.index(&picture, at_ms)?;
            self.tell(|| Told::Picture(picture.clone(), at_ms))?;
        }
        Ok(())
    }

    /// Tells every rung that does not rest. Whoever is busy is waited for, unless the whole process
    /// is late: then it misses this.
    fn tell(&mut self, told: impl Fn() -> Told) -> Result<(), Error> {
        let awake = self.rungs.len() - self.signs.resting().min(self.rungs.len());
        if awake < self.awake {
            for tired in &self.rungs[awake..self.awake] {
                tired.send(Told::Rest).map_err(|_| ended())?;
            }
        }
        self.awake = awake;
        for rung in &self.rungs[..awake] {
            match rung.try_send(told()) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) if self.signs.is_late() => self.signs.skip(),
                Err(TrySendError::Full(told)) => rung.send(told).map_err(|_| ended())?,
                Err(TrySendError::Disconnected(_)) => return Err(ended()),
            }
        }
        Ok(())
    }

    /// Sends a picture for the index when it is a new one.
    fn index(&mut self, picture: &Picture, at_ms: i64) -> Result<(), Error> {
        if self
            .still
            .as_ref()
            .is_some_and(|(last_ms, _)| at_ms < last_ms + STILL_APART_MS)
        {
            return Ok(());
        }
        let thumb = picture.thumb();
        let is_new = match &self.still {
            Some((_, last)) => thumb.changed_permille(last) >= STILL_CHANGE_PERMILLE,
            None => thumb.has_detail(),
        };
        if !is_new {
            return Ok(());
        }
        let data = stills::jpeg(picture, Colours::Bt601)?;
        self.still = Some((at_ms, thumb));
        self.sink.send(Output::Still {
            at_ms: u64::try_from(at_ms).unwrap_or(0),
            data,
        })
    }
}

fn ended() -> Error {
    Error::Fault("a rung ended early".into())
}
