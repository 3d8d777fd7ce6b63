//! Voices of those who have the floor: from their sockets to the transcoder and to the teacher's ears.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use tokio::sync::broadcast;

/// Packets that a listener may be behind: about two seconds of one voice. Who is slower misses some.
const WAITING: usize = 64;

/// A packet of a voice.
#[derive(Clone, Debug)]
pub struct VoicePacket {
    /// Tells voices apart, as long as this node runs.
    pub speaker: u32,
    /// Opus, one channel.
    pub data: Bytes,
}

/// The voices of one class; cheap to clone.
#[derive(Clone, Debug)]
pub struct Voices {
    packets: broadcast::Sender<VoicePacket>,
    speakers: Arc<AtomicU32>,
}

impl Default for Voices {
    fn default() -> Self {
        Self {
            packets: broadcast::Sender::new(WAITING),
            speakers: Arc::default(),
        }
    }
}

impl Voices {
    /// A number for another voice.
    #[must_use]
    pub fn speaker(&self) -> u32 {
        self.speakers.fetch_add(1, Ordering::Relaxed)
    }

    /// Says a packet to all who listen; nobody need.
    pub fn say(&self, packet: VoicePacket) {
        drop(self.packets.send(packet));
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.packets.subscribe())
    }
}

/// Somebody who hears the voices of a class.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<VoicePacket>);

impl Listener {
    /// The next packet, also after some were missed; for ever when none can come any more.
    pub async fn hear(&mut self) -> VoicePacket {
        loop {
            match self.0.recv().await {
                Ok(packet) => return packet,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
