//! How the sockets of a class that bring media end: with a word why, and the TCP connection in order.

use std::time::Duration;

use tokio::time::timeout;

use crate::websocket::{CloseFrame, Message, Socket, SocketError, Utf8Bytes};

/// The farewell may take this long.
const WITHIN: Duration = Duration::from_secs(2);

/// Why a socket is closed: a close code (RFC 6455 section 7.4.1), and a problem that connecting again does not
/// mend.
pub type Farewell = (u16, Option<&'static str>);

/// The other side is gone: nothing is said.
pub const GONE: Farewell = (0, None);

/// Says farewell; `problem` is the protocol's own message of a problem's code.
pub async fn say(
    socket: &mut Socket,
    (code, problem): Farewell,
    message: impl FnOnce(String) -> Message,
) {
    if code == 0 {
        return;
    }
    let said = async {
        if let Some(problem) = problem {
            socket.send(message(problem.to_owned())).await?;
        }
        let reason = Utf8Bytes::from_static(problem.unwrap_or_default());
        let close = Message::Close(Some(CloseFrame {
            code: code.into(),
            reason,
        }));
        socket.send(close).await?;
        // The other side's answer ends the TCP connection in order.
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
        }
        Ok::<_, SocketError>(())
    };
    if !matches!(timeout(WITHIN, said).await, Ok(Ok(()))) {
        tracing::debug!(code, "the other side did not hear the farewell");
    }
}
