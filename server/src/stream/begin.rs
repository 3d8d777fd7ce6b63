//! From `hello` to `welcome`: the right to watch, the ladder, and what earlier connections left.

use std::sync::Arc;

use super::Streams;
use super::ladder::Ladder;
use super::viewer::{Start, Viewer};
use super::wire::{Hello, ServerMessage};
use crate::error::Error;
use crate::id::{AccountId, PlaySessionId};
use crate::learning::access::MayWatch;
use crate::learning::evidence::delivered::Delivered;
use crate::learning::evidence::receipt::Receipt;

/// A connection that can begin.
pub struct Begun {
    /// What goes out.
    pub viewer: Viewer,
    /// Proof of the right to watch.
    pub right: MayWatch,
    /// Length of the timeline.
    pub duration_ms: i64,
    /// The answer to `hello`.
    pub welcome: ServerMessage,
}

/// Prepares a connection.
///
/// # Errors
/// [`Error::NotFound`] without the right to watch, [`Error::UnsupportedType`] when the client can
/// decode nothing of the timeline.
pub async fn begin(streams: &Streams, account: AccountId, hello: Hello) -> Result<Begun, Error> {
    let mut connection = streams.db.read().await?;
    let right = MayWatch::prove(&mut connection, account, hello.timeline).await?;
    drop(connection);
    let timeline = streams.timelines.get(hello.timeline).await?;
    let ladder = Ladder::of(&timeline, &hello.codecs).ok_or(Error::UnsupportedType)?;
    let receipt = match hello.receipt.as_deref() {
        Some(token) => read(streams, right, token).await?,
        None => None,
    };
    let mut delivered = remembered(streams, right, hello.session).await;
    if let Some(receipt) = &receipt {
        delivered.add_all(&receipt.delivered);
    }
    let last_rung = receipt.as_ref().and_then(|receipt| {
        let from = usize::try_from(receipt.rung_from).ok()?;
        Some((ladder.find(&receipt.rung)?, from))
    });
    let since = streams.evidence.now();
    let fresh = u32::try_from(since.0 / 1000).unwrap_or(0);
    let start = Start {
        // Of something that the client does not hold already.
        epoch: hello.resume.map_or(fresh, |resume| resume.epoch),
        position_ms: hello.position_ms,
        resume: hello.resume,
        last_rung,
        bandwidth_bps: receipt
            .as_ref()
            .filter(|receipt| receipt.bandwidth_bps > 0)
            .map(|receipt| receipt.bandwidth_bps as f64),
        pin: hello.pin.as_deref().and_then(|id| ladder.find(id)),
        budget: hello.budget_bytes,
        delivered,
        since,
    };
    let viewer = Viewer::new(timeline.clone(), ladder, start);
    let welcome = ServerMessage::Welcome {
        epoch: viewer.epoch(),
        duration_ms: timeline.duration_ms,
        renditions: viewer.ladder().renditions(&timeline),
        rungs: viewer.ladder().wire_rungs(),
        rung: viewer.rung().0.to_owned(),
        receipt: sign(streams, &viewer, right).await?,
    };
    Ok(Begun {
        viewer,
        right,
        duration_ms: i64::try_from(timeline.duration_ms)
            .map_err(|_| Error::Internal("a timeline longer than time".into()))?,
        welcome,
    })
}

/// What this node remembers of a play session, if it is of the same account and timeline.
async fn remembered(streams: &Streams, right: MayWatch, session: PlaySessionId) -> Delivered {
    let kept: Option<Arc<_>> = streams.recent.get(&session).await;
    match kept.as_deref() {
        Some((account, timeline, delivered))
            if *account == right.account() && *timeline == right.timeline() =>
        {
            delivered.clone()
        }
        _ => Delivered::default(),
    }
}

/// A receipt for what the viewer was sent.
///
/// # Errors
/// When the key cannot be read.
pub async fn sign(streams: &Streams, viewer: &Viewer, right: MayWatch) -> Result<String, Error> {
    let (rung, from) = viewer.rung();
    let receipt = Receipt {
        account: right.account(),
        timeline: right.timeline(),
        delivered: viewer.delivered().clone(),
        rung: rung.to_owned(),
        rung_from: u32::try_from(from).unwrap_or(u32::MAX),
        bandwidth_bps: viewer.credit().bandwidth_bps().unwrap_or(0.0) as u64,
    };
    Ok(streams.evidence.key().await?.sign(&receipt))
}

/// Reads a receipt; `None` when it is forged, damaged, or of another account or timeline.
///
/// # Errors
/// When the key cannot be read.
pub async fn read(
    streams: &Streams,
    right: MayWatch,
    token: &str,
) -> Result<Option<Receipt>, Error> {
    let receipt = streams.evidence.key().await?.verify(token);
    Ok(receipt.filter(|receipt| {
        receipt.account == right.account() && receipt.timeline == right.timeline()
    }))
}
