//! WebSockets (RFC 6455): how a request becomes one, and a socket that sends what many get without a copy
//! for each of them.

mod shared;
mod socket;
#[cfg(test)]
mod tests;
mod upgrade;

pub use shared::BinaryMessage;
pub use socket::{Moved, Socket, is_unreadable};
pub use tokio_tungstenite::tungstenite::protocol::CloseFrame;
pub use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};
pub use upgrade::{Agreed, Bounds, Upgrade};
