//! Encoders such as OBS publish by RTMP with a stream key: `rtmp://HOST/live` and the key as the name of
//! the stream. H.264 and AAC as FLV carries them (Adobe Flash Video File Format Specification 10.1,
//! annex E) become the frames of an ordinary run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use millet_manifest::live::{AudioConfig, Input, MediaFrame, VideoConfig};
use scuffle_rtmp::ServerSession;
use scuffle_rtmp::session::server::{ServerSessionError, SessionData, SessionHandler};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ending::Ending;
use crate::id::RunId;
use crate::live::media::ClassMedia;
use crate::live::media::asks::{Ask, Publishing};

/// Encoders at a time.
const MOST_ENCODERS: usize = 64;
/// A key that was revoked stops working within this time.
const LOOK_AT_KEY_EVERY: Duration = Duration::from_secs(5);
/// A connection must show a key within this time; until then it holds a place that others need.
const KEY_WITHIN: Duration = Duration::from_secs(5);
/// An encoder that sends nothing for this long is gone.
const SILENT_FOR: Duration = Duration::from_secs(20);
/// When no connection can be taken, for want of file descriptors for example, the next try waits this long.
const TAKE_AGAIN: Duration = Duration::from_secs(1);
/// Connections that are turned away are said this often.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Largest frame that is taken.
const LARGEST_FRAME: usize = 2 << 20;

/// The media of the open class that a stream key opens; `None` for any other text.
pub type OpenByKey = Arc<dyn Fn(String) -> BoxFuture<'static, Option<ClassMedia>> + Send + Sync>;

/// Takes encoders until the server stops.
pub async fn run(
    listener: TcpListener,
    open: OpenByKey,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let seats = Arc::new(Semaphore::new(MOST_ENCODERS));
    let mut said: Option<Instant> = None;
    loop {
        let (stream, _) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(|| listener.accept()) => accepted,
        };
        let Ok(seat) = seats.clone().try_acquire_owned() else {
            if said.is_none_or(|said| said.elapsed() > SAY_EVERY) {
                said = Some(Instant::now());
                tracing::warn!(
                    MOST_ENCODERS,
                    "an encoder was turned away: all places are taken"
                );
            }
            continue;
        };
        let (open, stop) = (open.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = serve(stream, open) => {}
            }
            drop(seat);
        });
    }
}

/// The next connection.
async fn accept<S, F>(mut next: impl FnMut() -> F) -> S
where
    F: Future<Output = std::io::Result<S>>,
{
    loop {
        match next().await {
            Ok(stream) => return stream,
            Err(error) => tracing::warn!(%error, "no encoder can connect"),
        }
        tokio::time::sleep(TAKE_AGAIN).await;
    }
}

async fn serve(stream: TcpStream, open: OpenByKey) {
    let (heard, mut silent) = tokio::sync::watch::channel(false);
    let handler = Encoder {
        open,
        heard,
        key: String::new(),
        looked: Instant::now(),
        publishing: None,
        number: 0,
    };
    let session = ServerSession::new(Ending(stream), handler).run();
    let watch = async {
        let shown = silent.wait_for(|shown| *shown);
        if !matches!(tokio::time::timeout(KEY_WITHIN, shown).await, Ok(Ok(_))) {
            return;
        }
        while matches!(
            tokio::time::timeout(SILENT_FOR, silent.changed()).await,
            Ok(Ok(()))
        ) {}
    };
    tokio::select! {
        ended = session => if let Err(error) = ended {
            tracing::debug!(%error, "an encoder's connection ended");
        },
        () = watch => tracing::debug!("an encoder fell silent, or showed no key"),
    }
}

struct Encoder {
    open: OpenByKey,
    /// Whether a key was shown; sent again with all that is heard.
    heard: tokio::sync::watch::Sender<bool>,
    key: String,
    looked: Instant,
    publishing: Option<(ClassMedia, RunId, Publishing)>,
    number: u32,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Some((media, run, publishing)) = self.publishing.take() {
            drop(publishing);
            // An owner that is too busy to hear it notices the silence.
            let _ = media.asks.try_send(Ask::Left { run });
        }
    }
}

/// The session's own errors are few: this one ends it.
fn refuse() -> ServerSessionError {
    ServerSessionError::PublishBeforeConnect
}

impl SessionHandler for Encoder {
    async fn on_publish(
        &mut self,
        _stream: u32,
        _app: &str,
        name: &str,
    ) -> Result<(), ServerSessionError> {
        if self.publishing.is_some() {
            return Err(refuse());
        }
        // A wrong one ends the connection at once.
        self.heard.send_replace(true);
        let media = (self.open)(name.to_owned()).await.ok_or_else(refuse)?;
        let run = RunId::new();
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Publish {
            run,
            resumable: false,
            take: true,
            reply,
        };
        media.asks.send(ask).await.map_err(|_| refuse())?;
        let publishing = answer.await.map_err(|_| refuse())?.map_err(|_| refuse())?;
        name.clone_into(&mut self.key);
        self.looked = Instant::now();
        self.publishing = Some((media, run, publishing));
        Ok(())
    }

    async fn on_unpublish(&mut self, _stream: u32) -> Result<(), ServerSessionError> {
        Err(refuse())
    }

    async fn on_data(&mut self, _stream: u32, data: SessionData) -> Result<(), ServerSessionError> {
        self.heard.send_replace(true);
        if self.looked.elapsed() > LOOK_AT_KEY_EVERY {
            self.looked = Instant::now();
            (self.open)(self.key.clone()).await.ok_or_else(refuse)?;
        }
        let input = match data {
            SessionData::Video { timestamp, data } => video(timestamp, &data),
            SessionData::Audio { timestamp, data } => audio(timestamp, &data),
            SessionData::Amf0 { .. } => None,
        };
        let (Some(input), Some((_, _, publishing))) = (input, &self.publishing) else {
            return Ok(());
        };
        if publishing.taken.is_cancelled() {
            return Err(refuse());
        }
        self.number = self.number.wrapping_add(1);
        let counted = std::sync::atomic::Ordering::Relaxed;
        publishing.next.store(self.number, counted);
        // What the machine cannot take now waits in the encoder, which drops by its own rules.
        publishing.inputs.send(input).await.map_err(|_| refuse())
    }
}

/// A video tag's body; `None` for what is not H.264.
fn video(timestamp_ms: u32, body: &Bytes) -> Option<Input> {
    let [kind, packet, rest @ ..] = &body[..] else {
        return None;
    };
    let (time, data) = rest.split_first_chunk::<3>()?;
    if kind & 0x0f != 7 || data.len() > LARGEST_FRAME {
        return None;
    }
    match packet {
        0 => Some(Input::VideoConfig(VideoConfig {
            // The description says more than this word.
            codec: "avc1".to_owned(),
            description: Some(data.to_vec()),
            width: 0,
            height: 0,
        })),
        1 => {
            // Composition time: a signed number of 24 bits.
            let offset = i32::from_be_bytes([time[0], time[1], time[2], 0]) >> 8;
            Some(Input::VideoFrame(MediaFrame {
                timestamp_us: (i64::from(timestamp_ms) + i64::from(offset)) * 1000,
                key: kind >> 4 == 1,
                data: data.to_vec(),
            }))
        }
        _ => None,
    }
}

/// An audio tag's body; `None` for what is not AAC.
fn audio(timestamp_ms: u32, body: &Bytes) -> Option<Input> {
    let [kind, packet, data @ ..] = &body[..] else {
        return None;
    };
    if kind >> 4 != 10 || data.is_empty() || data.len() > LARGEST_FRAME {
        return None;
    }
    match packet {
        0 => {
            let (sample_rate, channels) = specific_config(data)?;
            Some(Input::AudioConfig(AudioConfig {
                codec: "mp4a.40.2".to_owned(),
                sample_rate,
                channels,
                description: Some(data.to_vec()),
            }))
        }
        1 => Some(Input::AudioFrame(MediaFrame {
            timestamp_us: i64::from(timestamp_ms) * 1000,
            key: true,
            data: data.to_vec(),
        })),
        _ => None,
    }
}

/// Samples a second and channels of an `AudioSpecificConfig` (ISO/IEC 14496-3, section 1.6.2.1).
fn specific_config(data: &[u8]) -> Option<(u32, u32)> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    let [first, second, ..] = data else {
        return None;
    };
    let index = usize::from((first & 7) << 1 | second >> 7);
    let channels = u32::from(second >> 3 & 0x0f);
    let rate = RATES.get(index)?;
    (1..=8).contains(&channels).then_some((*rate, channels))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_connection_without_a_key_does_not_keep_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open: OpenByKey = Arc::new(|_| Box::pin(std::future::ready(None)));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let running = tokio::spawn(run(listener, open, stop.clone(), tasks.clone()));
        let mut mute = TcpStream::connect(address).await.unwrap();
        // Slow enough to say nothing, fast enough not to be silent.
        let (mut hears, mut says) = mute.split();
        let slowly = async {
            while says.write_all(&[3]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let mut byte = [0];
        let ended = async {
            tokio::select! {
                _ = hears.read(&mut byte) => {}
                () = slowly => {}
            }
        };
        let ended = tokio::time::timeout(SILENT_FOR / 2, ended).await;
        assert!(ended.is_ok(), "it keeps the place of an encoder");
        stop.cancel();
        running.await.unwrap();
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_connection_that_ends_early_gives_its_place_back_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open: OpenByKey = Arc::new(|_| Box::pin(std::future::ready(None)));
        let served = async {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, open).await;
        };
        let connected = async { drop(TcpStream::connect(address).await.unwrap()) };
        let both = async { tokio::join!(served, connected) };
        let ended = tokio::time::timeout(KEY_WITHIN / 2, both).await;
        assert!(ended.is_ok(), "nobody is there any more");
    }

    #[tokio::test]
    async fn while_no_connection_can_be_taken_the_next_try_waits() {
        let began = Instant::now();
        let mut tries = 0;
        let stream = accept(|| {
            tries += 1;
            std::future::ready(if tries < 3 {
                Err(std::io::Error::other("no file descriptors"))
            } else {
                Ok(tries)
            })
        });
        assert_eq!(stream.await, 3);
        assert!(began.elapsed() >= TAKE_AGAIN * 2);
    }

    #[test]
    fn tags_of_h264_become_frames_with_their_time_of_showing() {
        let tag = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
        let Some(Input::VideoConfig(config)) = video(0, &tag(&[0x17, 0, 0, 0, 0, 1, 0x42])) else {
            panic!("no configuration");
        };
        assert_eq!(config.description.unwrap(), [1, 0x42]);
        let Some(Input::VideoFrame(frame)) = video(1_000, &tag(&[0x17, 1, 0, 0, 80, 9])) else {
            panic!("no frame");
        };
        assert_eq!((frame.timestamp_us, frame.key), (1_080_000, true));
        let Some(Input::VideoFrame(early)) = video(1_000, &tag(&[0x27, 1, 0xff, 0xff, 0xd8, 9]))
        else {
            panic!("no frame");
        };
        assert_eq!((early.timestamp_us, early.key), (960_000, false));
        for other in [
            &[0x12, 1, 0, 0, 0, 9][..],
            &[0x17, 1],
            &[0x17, 2, 0, 0, 0],
            &[],
        ] {
            assert_eq!(video(0, &tag(other)), None, "{other:?}");
        }
    }

    #[test]
    fn tags_of_aac_say_their_rate_and_channels() {
        let Some(Input::AudioConfig(config)) =
            audio(0, &Bytes::from_static(&[0xaf, 0, 0x12, 0x10]))
        else {
            panic!("no configuration");
        };
        assert_eq!((config.sample_rate, config.channels), (44_100, 2));
        assert!(matches!(
            audio(20, &Bytes::from_static(&[0xaf, 1, 1])),
            Some(Input::AudioFrame(_))
        ));
        assert_eq!(audio(0, &Bytes::from_static(&[0x2f, 1, 1])), None);
    }
}
