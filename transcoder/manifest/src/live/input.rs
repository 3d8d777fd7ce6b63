//! What goes into a run.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Fields, Record, RecordError, json};

/// One record on standard input. A run takes either configs and frames, or container bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// How the pictures that follow are coded.
    VideoConfig(VideoConfig),
    /// One coded picture.
    VideoFrame(MediaFrame),
    /// How the sound that follows is coded.
    AudioConfig(AudioConfig),
    /// One coded stretch of sound.
    AudioFrame(MediaFrame),
    /// Bytes of a `WebM`, fragmented MP4 or FLV stream, in order.
    Container(Vec<u8>),
    /// A packet of Opus of somebody who has the floor; it is heard with the class's sound.
    Voice {
        /// Tells voices apart.
        speaker: u32,
        /// As the encoder made it.
        data: Vec<u8>,
    },
    /// The timeline's clock; cuts are made by it when nothing else arrives.
    Clock {
        /// Milliseconds since the class was opened.
        now_ms: i64,
    },
    /// Encode what is left, then exit with 0.
    End,
}

/// As `VideoDecoderConfig` of `WebCodecs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoConfig {
    /// RFC 6381, for example `avc1.42e01f` or `vp8`.
    pub codec: String,
    /// `avcC` of ISO/IEC 14496-15; absent when H.264 comes as Annex B byte stream.
    #[serde(
        default,
        serialize_with = "to_base64",
        deserialize_with = "from_base64"
    )]
    pub description: Option<Vec<u8>>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// As `AudioDecoderConfig` of `WebCodecs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioConfig {
    /// `opus` or `mp4a.40.2`.
    pub codec: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// `AudioSpecificConfig` or `OpusHead`, where there is one.
    #[serde(
        default,
        serialize_with = "to_base64",
        deserialize_with = "from_base64"
    )]
    pub description: Option<Vec<u8>>,
}

/// A coded picture or stretch of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFrame {
    /// The publisher's own clock, microseconds.
    pub timestamp_us: i64,
    /// Whether a decoder may start here.
    pub key: bool,
    /// As the encoder made it.
    pub data: Vec<u8>,
}

const KEY: u8 = 1;

impl MediaFrame {
    fn parts(&self) -> Vec<Cow<'_, [u8]>> {
        let mut head = self.timestamp_us.to_be_bytes().to_vec();
        head.push(if self.key { KEY } else { 0 });
        vec![head.into(), self.data.as_slice().into()]
    }

    fn from_body(kind: u8, body: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::new(kind, body);
        Ok(Self {
            timestamp_us: fields.i64()?,
            key: fields.u8()? & KEY != 0,
            data: fields.rest(),
        })
    }
}

impl Record for Input {
    fn parts(&self) -> (u8, Vec<Cow<'_, [u8]>>) {
        match self {
            Self::VideoConfig(config) => (1, vec![json(config).into()]),
            Self::VideoFrame(frame) => (2, frame.parts()),
            Self::AudioConfig(config) => (3, vec![json(config).into()]),
            Self::AudioFrame(frame) => (4, frame.parts()),
            Self::Container(bytes) => (5, vec![bytes.as_slice().into()]),
            Self::Clock { now_ms } => (6, vec![now_ms.to_be_bytes().to_vec().into()]),
            Self::End => (7, Vec::new()),
            Self::Voice { speaker, data } => {
                let head = speaker.to_be_bytes().to_vec();
                (8, vec![head.into(), data.as_slice().into()])
            }
        }
    }

    fn from_parts(kind: u8, body: &[u8]) -> Result<Self, RecordError> {
        Ok(match kind {
            1 => Self::VideoConfig(serde_json::from_slice(body).map_err(RecordError::Json)?),
            2 => Self::VideoFrame(MediaFrame::from_body(kind, body)?),
            3 => Self::AudioConfig(serde_json::from_slice(body).map_err(RecordError::Json)?),
            4 => Self::AudioFrame(MediaFrame::from_body(kind, body)?),
            5 => Self::Container(body.to_vec()),
            6 => Self::Clock {
                now_ms: Fields::new(kind, body).i64()?,
            },
            7 => Self::End,
            8 => {
                let mut fields = Fields::new(kind, body);
                Self::Voice {
                    speaker: fields.u32()?,
                    data: fields.rest(),
                }
            }
            _ => return Err(RecordError::UnknownKind(kind)),
        })
    }
}

fn to_base64<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    bytes
        .as_ref()
        .map(|bytes| STANDARD.encode(bytes))
        .serialize(to)
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    Option::<String>::deserialize(from)?
        .map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom))
        .transpose()
}
