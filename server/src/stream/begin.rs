//! From `hello` to `welcome`: the right to watch, the ladder, and what earlier connections left.

use std::sync::Arc;

use super::Streams;
use super::growing::Growing;
use super::index::Index;
use super::ladder::Ladder;
use super::rooms::Seat;
use super::viewer::{LIVE_START_MS, Start, Viewer};
use super::wire::{Follow, Hello, ServerMessage};
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
    /// The timeline, if it grows.
    pub growing: Option<Arc<Growing>>,
    /// Place in the room, if it is of a class.
    pub seat: Option<Seat>,
    /// What the client can decode.
    pub codecs: Vec<String>,
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
    let growing = streams.growing.find(hello.timeline);
    let index = match &growing {
        Some(growing) => growing.index().borrow().clone(),
        None => Arc::new(Index::Closed(
            streams
                .timelines
                .shown(hello.timeline, right.trim())
                .await?,
        )),
    };
    let ladder = Ladder::of(&index, &hello.codecs).ok_or(Error::UnsupportedType)?;
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
    let fresh = match &*index {
        Index::Closed(_) => u32::try_from(since.0 / 1000).unwrap_or(0),
        // The epoch of the messages that all viewers share.
        Index::Growing(grown) => grown.epoch,
    };
    let at_edge = hello.live.is_some_and(|live| live.at_edge) && index.grows();
    let position_ms = if at_edge {
        index.duration_ms().saturating_sub(LIVE_START_MS)
    } else {
        // What lies before is not shown.
        let from_ms = u64::try_from(right.trim().from_ms).unwrap_or(0);
        hello.position_ms.max(from_ms)
    };
    let start = Start {
        // Of something that the client does not hold already.
        epoch: hello.resume.map_or(fresh, |resume| resume.epoch),
        position_ms,
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
        follow: hello.live.map_or(Follow::All, |live| live.follow),
    };
    let seat = match hello.live {
        Some(live) => {
            let join = streams
                .rooms
                .join(right.timeline(), account, live.events_after);
            join.await?
        }
        None => None,
    };
    let viewer = Viewer::new(index.clone(), ladder, start);
    let welcome = ServerMessage::Welcome {
        epoch: viewer.epoch(),
        duration_ms: index.duration_ms(),
        renditions: viewer.ladder().renditions(&index),
        rungs: viewer.ladder().wire_rungs(),
        rung: viewer.rung().0.to_owned(),
        receipt: sign(streams, &viewer, right).await?,
        live: growing.as_ref().map(|growing| growing.live(since)),
        prepared_ms: index.prepared_ms(),
    };
    Ok(Begun {
        viewer,
        right,
        growing,
        seat,
        codecs: hello.codecs,
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
