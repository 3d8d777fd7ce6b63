//! The floor: whoever a leader gave it to is heard by the class (`millet.floor.v1`, see `PROTOCOL.md`).
//!
//! `speech` are the bounds of what somebody says, `opus` reads a packet's length, `socket` serves a
//! speaker. What is said goes to `media::voices`, from there into the class's sound and to its teacher.

mod opus;
mod socket;
mod speech;
pub mod wire;

use axum::extract::State;
use axum::response::Response;
use tokio::sync::watch;

use super::on_air::OnAir;
use super::proof::{InClass, Inside};
use super::room::owner::Signs;
use crate::error::Error;
use crate::id::ParticipantId;
use crate::websocket::Upgrade;

/// The right to be heard, and when it ends.
#[derive(Debug)]
pub struct Floor {
    /// Absent for leaders, who may always be heard.
    holder: Option<ParticipantId>,
    signs: watch::Receiver<Signs>,
}

impl Floor {
    /// Of a leader, or of whoever the room gives it to.
    #[must_use]
    pub fn new(holder: Option<ParticipantId>, signs: watch::Receiver<Signs>) -> Self {
        Self { holder, signs }
    }

    /// Whether it is held now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let signs = self.signs.borrow();
        let given = |holder: ParticipantId| signs.floors.contains(&holder);
        !signs.ending && self.holder.is_none_or(given)
    }

    /// Waits until it was taken, or the room is over.
    pub async fn taken(&mut self) {
        while self.is_held() && self.signs.changed().await.is_ok() {}
    }
}

/// `GET /live/{class_id}/speak`
///
/// # Errors
/// [`Error::Malformed`] without the subprotocol, [`Error::Conflict`] when the class is not open.
pub async fn speak(
    proof: InClass<Inside>,
    State(on_air): State<OnAir>,
    upgrade: Upgrade,
) -> Result<Response, Error> {
    let agreed = upgrade.speaking(wire::SUBPROTOCOL)?;
    let voices = on_air.of(proof.row()).await?.voices;
    let floor = on_air.floor(&proof);
    let tasks = on_air.tasks().clone();
    Ok(agreed.serve(socket::BOUNDS, move |socket| {
        let speaking = socket::serve(voices, floor, tasks.clone(), socket);
        tasks.track_future(speaking)
    }))
}
