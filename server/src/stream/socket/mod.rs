//! `GET /stream`: one task for each viewer, which moves bytes between the socket and its
//! [`Viewer`](super::viewer::Viewer). Whatever ends the socket ends the task.

mod connection;
mod farewell;
mod watching;

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::StreamExt as _;

use super::Streams;
use super::wire::{LONGEST_CLIENT_MESSAGE, SUBPROTOCOL};
use crate::error::Error;
use crate::id::AccountId;
use crate::people::SignedIn;
use crate::request::RequestId;
use connection::Connection;

/// The first message must come within this time.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Silence after which the other side is not there.
pub const SILENT_FOR: Duration = Duration::from_secs(14);
/// tungstenite's buffers of one socket: its defaults would cost 10,000 viewers 1.2 GiB.
const READ_BUFFER: usize = 2 * 1024;
/// Largest chunk that can be sent.
const LARGEST_MESSAGE: usize = 4 << 20;

/// `GET /stream`
///
/// # Errors
/// [`Error::SignInNeeded`]; [`Error::Malformed`] without the subprotocol.
pub async fn open(
    State(streams): State<Streams>,
    signed_in: SignedIn,
    request: RequestId,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Error> {
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(Error::Malformed(format!(
            "the subprotocol is {SUBPROTOCOL}"
        )));
    }
    if streams.stop.is_cancelled() {
        return Err(Error::Busy);
    }
    let who = Who {
        account: signed_in.account(),
        session_hash: signed_in.session_hash().to_owned(),
        device: device(&headers),
    };
    let tasks = streams.tasks.clone();
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(LARGEST_MESSAGE + 64 * 1024)
        .max_message_size(LONGEST_CLIENT_MESSAGE)
        .max_frame_size(LONGEST_CLIENT_MESSAGE)
        .on_upgrade(move |socket| {
            let viewing = serve(streams, socket, who);
            tasks.track_future(request.around(viewing))
        }))
}

/// Whose socket it is.
struct Who {
    account: AccountId,
    /// Of the session that opened the connection.
    session_hash: String,
    device: &'static str,
}

/// A few words by which teachers tell devices apart; never the whole header.
fn device(headers: &HeaderMap) -> &'static str {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"]
        .into_iter()
        .find(|word| agent.contains(word))
        .unwrap_or("–")
}

async fn serve(streams: Streams, socket: WebSocket, who: Who) {
    let seat = streams.seats.take(who.account);
    let viewers = metrics::gauge!("millet_viewers");
    viewers.increment(1.0);
    let (sink, stream) = socket.split();
    let mut connection = Connection::new(sink, stream, seat, who);
    let end = connection.run(&streams).await;
    connection.close(end).await;
    viewers.decrement(1.0);
}
