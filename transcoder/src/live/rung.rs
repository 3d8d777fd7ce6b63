//! The thread of one rung: pictures in, chunks on the grid out.
//!
//! A chunk covers its part of the grid from its first to its last millisecond: its first picture
//! is shown from the part's start, its last one until the part's end. So a player never meets a
//! hole between two chunks, whatever the camera's rate is.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ffmpeg_next::software::scaling;
use ffmpeg_next::util::picture::Type as PictureType;
use ffmpeg_next::{Packet, encoder, frame};

use millet_manifest::Kind;

use super::grid::{Place, floor};
use super::ladder::Rung;
use super::shared::{Signs, Sink, Thread};
use crate::boxes::{Sample, fragment};
use crate::encode;
use crate::error::{Error, libav};
use crate::nal;
use crate::picture::Picture;

/// A picture that is not followed by another is shown on this long without sound, as of a camera of
/// one picture a second.
const HELD_MS: i64 = 1_500;
/// And this long with sound, as of a screen on which nothing moves. Its keyframes would cost a moving
/// rung much for nothing new; the stills cost little.
const HELD_MOVING_MS: i64 = 10_000;
const HELD_STILL_MS: i64 = 600_000;
/// Pictures that wait for a rung; more would only cost memory and time.
const WAITING: usize = 4;

/// What a rung is told.
pub(crate) enum Told {
    /// A picture of the canvas's size.
    Picture(Arc<Picture>, i64),
    /// A picture that no rung needs was shown at this time: what lies before it is over.
    Passed(i64),
    /// What ends here or earlier was waited for long enough.
    Over(i64),
    /// Nothing comes for a while: what was begun is given up.
    Rest,
}

/// Starts the thread; it ends when the channel closes, and then sends what it has.
pub(crate) fn start(
    rung: &'static Rung,
    encoder: encoder::video::Encoder,
    place: Place,
    signs: Arc<Signs>,
    sink: Sink,
) -> Result<(SyncSender<Told>, Thread), Error> {
    let (sender, told) = sync_channel(WAITING);
    let thread = std::thread::Builder::new()
        .name(rung.id.into())
        .spawn(move || {
            let mut work = Work {
                rung,
                encoder,
                place,
                signs,
                sink,
                scaler: None,
                begun: None,
                last: None,
                slot: i64::MIN,
            };
            work.run(&told)
        })?;
    Ok((sender, thread))
}

/// A chunk that is being filled.
struct Begun {
    start_ms: i64,
    /// Whether its first picture is a keyframe.
    key: bool,
    /// Times and coded pictures.
    pictures: Vec<(i64, Vec<u8>)>,
}

struct Work {
    rung: &'static Rung,
    encoder: encoder::video::Encoder,
    place: Place,
    signs: Arc<Signs>,
    sink: Sink,
    scaler: Option<scaling::Context>,
    begun: Option<Begun>,
    last: Option<(Arc<Picture>, i64)>,
    /// Number of the rate's last slot that has a picture.
    slot: i64,
}

impl Work {
    fn run(&mut self, told: &Receiver<Told>) -> Result<(), Error> {
        for told in told {
            match told {
                Told::Picture(picture, at_ms) => self.show(&picture, at_ms)?,
                Told::Passed(at_ms) => self.pass(at_ms)?,
                Told::Over(over_ms) => self.wait(over_ms)?,
                Told::Rest => {
                    self.begun = None;
                    self.last = None;
                }
            }
        }
        self.close()
    }

    /// Takes a picture.
    fn show(&mut self, picture: &Arc<Picture>, at_ms: i64) -> Result<(), Error> {
        self.pass(at_ms)?;
        let start_ms = floor(at_ms, self.rung.chunk_ms);
        if start_ms < self.place.next_ms() {
            return Ok(());
        }
        let slot = at_ms.saturating_mul(i64::from(self.rung.rate_milli)) / 1_000_000;
        self.last = Some((picture.clone(), at_ms));
        match &self.begun {
            None => self.begin(picture, start_ms)?,
            Some(begun) if slot > self.slot && at_ms > begun.start_ms => {
                self.encode(picture, at_ms, false)?;
            }
            Some(_) => return Ok(()),
        }
        self.slot = slot;
        // There is no second picture to wait for.
        if self.chunk_is_one_picture() {
            self.close()?;
        }
        Ok(())
    }

    fn chunk_is_one_picture(&self) -> bool {
        i64::from(self.rung.rate_milli) * self.rung.chunk_ms <= 1_000_000
    }

    /// Pictures have come as far as `at_ms`: closes and fills what lies before.
    fn pass(&mut self, at_ms: i64) -> Result<(), Error> {
        let start_ms = floor(at_ms, self.rung.chunk_ms);
        if self.begun.as_ref().is_some_and(|b| b.start_ms < start_ms) {
            self.close()?;
        }
        let apart_ms = self
            .last
            .as_ref()
            .map_or(i64::MAX, |(_, last)| at_ms - last);
        let most_ms = if apart_ms <= HELD_MS { HELD_MS } else { 0 };
        while self.begun.is_none() && self.place.next_ms() < start_ms {
            if !self.hold(most_ms)? {
                break;
            }
        }
        Ok(())
    }

    /// Closes what ends by `over_ms`, where no picture came to end it.
    fn wait(&mut self, over_ms: i64) -> Result<(), Error> {
        let over_ms = over_ms.saturating_sub(self.rung.chunk_ms);
        if self.begun.as_ref().is_some_and(|b| b.start_ms <= over_ms) {
            self.close()?;
        }
        while self.begun.is_none() && self.place.next_ms() <= over_ms {
            if !self.hold(0)? {
                break;
            }
        }
        Ok(())
    }

    /// Shows the last picture in the next part too, if it is no older than `most_ms` or sound went
    /// on; whether it did.
    fn hold(&mut self, most_ms: i64) -> Result<bool, Error> {
        let start_ms = self.place.next_ms();
        let Some((picture, at_ms)) = self.last.clone() else {
            return Ok(false);
        };
        let end_ms = start_ms + self.rung.chunk_ms;
        let sounds = self.signs.heard().any(start_ms, end_ms);
        let most_ms = match (sounds, self.rung.kind) {
            (false, _) => most_ms,
            (true, Kind::Stills) => HELD_STILL_MS,
            (true, _) => HELD_MOVING_MS,
        };
        if start_ms - at_ms > most_ms {
            return Ok(false);
        }
        self.begin(&picture, start_ms)?;
        self.close()?;
        Ok(true)
    }

    fn begin(&mut self, picture: &Picture, start_ms: i64) -> Result<(), Error> {
        let key = self.place.is_gap(start_ms) || start_ms.rem_euclid(self.rung.key_every_ms) == 0;
        self.begun = Some(Begun {
            start_ms,
            key,
            pictures: Vec::new(),
        });
        self.encode(picture, start_ms, key)
    }

    fn encode(&mut self, picture: &Picture, at_ms: i64, key: bool) -> Result<(), Error> {
        let (width, height) = (u32::from(self.rung.width), u32::from(self.rung.height));
        let mut scaled: frame::Video = encode::scale(&mut self.scaler, picture, width, height)?;
        scaled.set_pts(Some(at_ms));
        scaled.set_kind(if key {
            PictureType::I
        } else {
            PictureType::None
        });
        let what = libav("encode a picture");
        self.encoder.send_frame(&scaled).map_err(&what)?;
        let mut packet = Packet::empty();
        // Without lookahead and B-frames each picture comes back before the next goes in.
        self.encoder.receive_packet(&mut packet).map_err(&what)?;
        if key != packet.is_key() {
            return Err(Error::Fault(format!("no keyframe at {at_ms} ms")));
        }
        if let Some(begun) = &mut self.begun {
            let data = nal::with_lengths(packet.data().unwrap_or_default());
            begun.pictures.push((at_ms, data));
        }
        Ok(())
    }

    /// Sends the chunk that was begun.
    fn close(&mut self) -> Result<(), Error> {
        let Some(begun) = self.begun.take() else {
            return Ok(());
        };
        let end_ms = begun.start_ms + self.rung.chunk_ms;
        let mut times: Vec<i64> = begun.pictures.iter().map(|(at_ms, _)| *at_ms).collect();
        times.push(end_ms);
        let samples: Vec<Sample> = begun
            .pictures
            .into_iter()
            .zip(times.windows(2))
            .map(|((_, data), time)| Sample {
                duration: u32::try_from(time[1] - time[0]).unwrap_or(1),
                offset: 0,
                data,
            })
            .collect();
        let time = u64::try_from(begun.start_ms).unwrap_or(0);
        let number = Place::number(begun.start_ms);
        let data = fragment(number, time, Some(begun.key), &samples);
        let chunk = self
            .place
            .chunk(begun.start_ms, self.rung.chunk_ms, begun.key, data);
        self.sink.chunk(chunk)
    }
}
