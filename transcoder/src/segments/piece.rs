//! Pictures of one segment for one rung.

use std::sync::Arc;

use crate::encode::{Shown, scale};
use crate::error::Error;
use crate::ladder::Rung;
use crate::picture::Picture;
use crate::pool::{Held, Tasks};
use crate::rung::{paced, plain};

/// Pictures of one segment at one size.
pub(super) struct Sized {
    pub(super) pictures: Vec<Shown>,
    _held: Held,
}

/// One segment of one rung, with its pictures at the rung's size or larger.
pub(super) struct Piece {
    pub(super) rung: usize,
    pub(super) index: usize,
    pub(super) times: (i64, i64),
    sized: Arc<Sized>,
}

impl Sized {
    pub(super) fn new(tasks: &Tasks, pictures: Vec<Shown>) -> Self {
        // A picture that is repeated for a cut is counted twice; that errs on the safe side.
        let bytes = pictures.iter().map(|shown| shown.picture.bytes()).sum();
        Self {
            pictures,
            _held: tasks.hold(bytes),
        }
    }
}

impl Piece {
    pub(super) fn new(rung: usize, index: usize, times: (i64, i64), sized: &Arc<Sized>) -> Self {
        Self {
            rung,
            index,
            times,
            sized: sized.clone(),
        }
    }

    /// Whether there is nothing to encode: others made it.
    pub(super) fn is_undecoded(&self) -> bool {
        self.sized.pictures.is_empty()
    }

    /// What is encoded of it.
    ///
    /// # Errors
    /// [`Error::Undecoded`] where there is nothing.
    pub(super) fn pictures(&self, rung: &Rung) -> Result<Vec<Shown>, Error> {
        if self.is_undecoded() {
            return Err(Error::Undecoded);
        }
        let pictures = paced(rung, &self.sized.pictures);
        let fits = |shown: &Shown| {
            (shown.picture.width, shown.picture.height) == (rung.width, rung.height)
        };
        match pictures.iter().all(fits) {
            true => plain(rung, pictures),
            false => plain(rung, scaled(rung, &pictures)?),
        }
    }
}

/// The pictures at the rung's size.
pub(super) fn scaled(rung: &Rung, pictures: &[Shown]) -> Result<Vec<Shown>, Error> {
    let mut scaler = None;
    let mut scaled = Vec::with_capacity(pictures.len());
    for shown in pictures {
        let frame = scale(&mut scaler, &shown.picture, rung.width, rung.height)?;
        scaled.push(Shown {
            picture: Arc::new(Picture::new(frame)),
            ..shown.clone()
        });
    }
    Ok(scaled)
}
