//! The renditions of every live class: what the transcoder says before it has seen any media. They are
//! the same in every run, so viewers can begin before the teacher does.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use millet_manifest::live::{Input, LiveRendition, Output};
use tokio::time::timeout;

use super::pipeline::Pipeline;
use crate::error::Error;

/// The child must have said it within this time.
const WITHIN: Duration = Duration::from_secs(20);
/// Most renditions: their index is one byte on the wire.
const MOST_RENDITIONS: usize = 32;

/// Renditions and their initialisations, in the order of their indexes.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// What each is.
    pub renditions: Vec<LiveRendition>,
    /// `ftyp` and `moov` of each.
    pub inits: Vec<Bytes>,
}

/// Asks the transcoder.
///
/// # Errors
/// When it cannot be started or says something else.
pub async fn ask(program: &Path) -> Result<Ladder, Error> {
    let mut pipeline = Pipeline::start(program, 0)?;
    let strange = || Error::Internal("the transcoder described no ladder".into());
    pipeline
        .inputs
        .send(Input::End)
        .await
        .map_err(|_| strange())?;
    let mut renditions = Vec::new();
    let mut inits: Vec<Option<Bytes>> = Vec::new();
    let read = async {
        while let Some(output) = pipeline.outputs.recv().await {
            match output {
                Output::Ladder(ladder) if ladder.len() <= MOST_RENDITIONS => {
                    inits = vec![None; ladder.len()];
                    renditions = ladder;
                }
                Output::Init { rendition, data } => {
                    if let Some(init) = inits.get_mut(usize::from(rendition)) {
                        *init = Some(data.into());
                    }
                }
                _ => {}
            }
        }
    };
    timeout(WITHIN, read).await.map_err(|_| strange())?;
    let inits: Option<Vec<Bytes>> = inits.into_iter().collect();
    match inits {
        Some(inits) if !inits.is_empty() => Ok(Ladder { renditions, inits }),
        _ => Err(strange()),
    }
}
