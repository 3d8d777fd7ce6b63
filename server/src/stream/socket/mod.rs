//! `GET /stream`: one task for each viewer, which moves bytes between the socket and its
//! [`Viewer`](super::viewer::Viewer). Whatever ends the socket ends the task.

mod connection;
mod farewell;
mod reading;
mod watching;

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use super::Streams;
use super::wire::{LONGEST_CLIENT_MESSAGE, SUBPROTOCOL};
use crate::error::Error;
use crate::id::AccountId;
use crate::people::SignedIn;
use crate::request::RequestId;
use crate::websocket::{Bounds, Socket, Upgrade};
use connection::Connection;

/// The first message must come within this time.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Silence after which the other side is not there.
pub const SILENT_FOR: Duration = Duration::from_secs(14);
const BOUNDS: Bounds = Bounds {
    read_buffer: 1024,
    longest_message: LONGEST_CLIENT_MESSAGE,
    waiting_words: 1 << 20,
};

/// `GET /stream`
///
/// # Errors
/// [`Error::SignInNeeded`]; [`Error::Malformed`] without the subprotocol.
pub async fn open(
    State(streams): State<Streams>,
    signed_in: SignedIn,
    request: RequestId,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Error> {
    let agreed = upgrade.speaking(SUBPROTOCOL)?;
    if streams.stop.is_cancelled() {
        return Err(Error::Busy);
    }
    let who = Who {
        account: signed_in.account(),
        session_hash: signed_in.session_hash().to_owned(),
        device: device(&headers),
    };
    let tasks = streams.tasks.clone();
    Ok(agreed.serve(BOUNDS, move |socket| {
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

async fn serve(streams: Streams, socket: Socket, who: Who) {
    let seat = streams.seats.take(who.account, &streams.stop);
    let viewers = metrics::gauge!("millet_viewers");
    viewers.increment(1.0);
    let mut connection = Connection::new(socket, seat, who);
    let end = connection.run(&streams).await;
    connection.close(end).await;
    viewers.decrement(1.0);
}
