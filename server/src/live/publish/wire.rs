//! The messages of `millet.publish.v1`; `PROTOCOL.md` beside this file says how they are used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use millet_manifest::live::{AudioConfig, Input, MediaFrame, VideoConfig};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::id::RunId;
use crate::live::media::voices::VoicePacket;

/// Name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "millet.publish.v1";
/// Length of the header of a binary message.
pub const HEADER_BYTES: usize = 16;
/// Longest message, header included.
pub const LONGEST_MESSAGE: usize = 1 << 20;
/// Longest description of a codec, in bytes.
const LONGEST_DESCRIPTION: usize = 4 * 1024;

/// What the media of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Coded pictures and sound, one message each (WebCodecs).
    Frames,
    /// The bytes of a recorder's file (MediaRecorder).
    Container,
}

/// What a publisher says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PublisherMessage {
    /// First message.
    Hello {
        /// UUID of this recorder or encoder from its start to its end.
        #[ts(type = "string")]
        run: RunId,
        /// What its media is.
        kind: RunKind,
        /// Media type of a container.
        container: Option<String>,
        /// Take the place of whoever publishes.
        take: bool,
    },
    /// How the pictures that follow are coded.
    VideoConfig {
        /// RFC 6381.
        codec: String,
        /// `avcC` in base64; null for an Annex B stream.
        description: Option<String>,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// How the sound that follows is coded.
    AudioConfig {
        /// `opus` or `mp4a.40.2`.
        codec: String,
        /// Samples a second.
        sample_rate: u32,
        /// Number of channels.
        channels: u32,
        /// Codec's own description in base64, where there is one.
        description: Option<String>,
    },
    /// Nothing more comes.
    Bye,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PublishAnswer {
    /// The run may begin, or go on.
    Welcome {
        /// The timeline's clock.
        #[ts(type = "number")]
        timeline_ms: u64,
        /// Number of the next binary message that the run has not got.
        next: u32,
    },
    /// What arrived and what is durable.
    Ack {
        /// Number of the newest binary message that was taken; null before the first.
        number: Option<u32>,
        /// End of what is recorded, on the timeline.
        #[ts(type = "number")]
        recorded_ms: u64,
    },
    /// Send a keyframe: pictures were left out.
    WantKey,
    /// How the transcoder fares.
    Report {
        /// How far it is behind.
        #[ts(type = "number")]
        lag_ms: u64,
        /// Renditions that it leaves out.
        dropped_rungs: Vec<String>,
    },
    /// Publishing ends; a close follows. Connecting again without another choice does not help.
    Problem {
        /// `occupied`, `taken_over`, `not_leading`, `bad_media`, `ended`, `malformed`, `too_fast` or
        /// `fault`.
        code: String,
    },
}

/// A binary message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Counts the binary messages of a run from 0.
    pub number: u32,
    /// For the transcoder.
    pub input: Input,
}

impl Media {
    /// Reads a binary message; `None` when it is none of this protocol.
    #[must_use]
    pub fn decode(message: &[u8]) -> Option<Self> {
        let (header, payload) = message.split_first_chunk::<HEADER_BYTES>()?;
        let number = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let mut timestamp = [0; 8];
        timestamp.copy_from_slice(&header[8..]);
        let frame = MediaFrame {
            timestamp_us: i64::from_be_bytes(timestamp),
            key: header[1] & 1 != 0,
            data: payload.to_vec(),
        };
        let input = match header[0] {
            1 => Input::VideoFrame(frame),
            2 => Input::AudioFrame(frame),
            3 => Input::Container(frame.data),
            _ => return None,
        };
        (!payload.is_empty()).then_some(Self { number, input })
    }
}

/// Kind of a binary message of the server: a packet of Opus of somebody who has the floor.
const VOICE: u8 = 4;

/// A voice as the publisher hears it.
#[must_use]
pub fn voice(packet: &VoicePacket) -> Bytes {
    let mut message = BytesMut::with_capacity(HEADER_BYTES + packet.data.len());
    message.put_slice(&[VOICE, 0, 0, 0]);
    message.put_u32(packet.speaker);
    message.put_i64(0);
    message.put_slice(&packet.data);
    message.freeze()
}

/// The configuration as the transcoder takes it; `None` when it is malformed.
#[must_use]
pub fn config(message: &PublisherMessage) -> Option<Input> {
    match message {
        PublisherMessage::VideoConfig {
            codec,
            description,
            width,
            height,
        } => Some(Input::VideoConfig(VideoConfig {
            codec: codec.clone(),
            description: bytes(description.as_deref())?,
            width: *width,
            height: *height,
        })),
        PublisherMessage::AudioConfig {
            codec,
            sample_rate,
            channels,
            description,
        } => Some(Input::AudioConfig(AudioConfig {
            codec: codec.clone(),
            sample_rate: *sample_rate,
            channels: *channels,
            description: bytes(description.as_deref())?,
        })),
        PublisherMessage::Hello { .. } | PublisherMessage::Bye => None,
    }
}

/// Decodes an optional description; `None` when it is there and malformed.
#[allow(
    clippy::option_option,
    reason = "malformed, absent and present are three cases"
)]
fn bytes(text: Option<&str>) -> Option<Option<Vec<u8>>> {
    match text {
        None => Some(None),
        Some(text) if text.len() <= LONGEST_DESCRIPTION * 4 / 3 => {
            STANDARD.decode(text).ok().map(Some)
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_message_is_a_header_of_16_bytes_and_media() {
        let mut message = vec![1, 1, 0, 0, 0, 0, 0, 7];
        message.extend_from_slice(&40_000_i64.to_be_bytes());
        assert_eq!(Media::decode(&message), None, "nothing in it");
        message.push(0xab);
        let media = Media::decode(&message).unwrap();
        assert_eq!(media.number, 7);
        let frame = MediaFrame {
            timestamp_us: 40_000,
            key: true,
            data: vec![0xab],
        };
        assert_eq!(media.input, Input::VideoFrame(frame));
        message[0] = 9;
        assert_eq!(Media::decode(&message), None);
        assert_eq!(Media::decode(&[1; 15]), None);
    }

    #[test]
    fn a_description_is_base64_or_absent() {
        let message = |description: Option<&str>| PublisherMessage::VideoConfig {
            codec: "avc1.42e01f".into(),
            description: description.map(str::to_owned),
            width: 640,
            height: 360,
        };
        assert!(config(&message(None)).is_some());
        assert!(config(&message(Some("AUI="))).is_some());
        assert!(config(&message(Some("?"))).is_none());
        assert!(config(&message(Some(&"A".repeat(10_000)))).is_none());
        assert!(config(&PublisherMessage::Bye).is_none());
    }
}
