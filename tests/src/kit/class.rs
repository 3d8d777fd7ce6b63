//! A live class without a browser, and a publisher that sends a recording as if it were a camera.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use millet_server::completion;
use millet_server::courses::proof::InCourse;
use millet_server::courses::{Draft, outline, publish, store as courses};
use millet_server::id::{CourseId, LessonId, LiveClassId, RunId, TimelineId};
use millet_server::learning::enrolment::Source;
use millet_server::live::publish::wire::{PublishAnswer, PublisherMessage, RunKind, SUBPROTOCOL};
use millet_server::live::schedule::NewClass;
use millet_server::live::{planning, store};
use millet_server::people::Teacher;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::media::run;
use super::{Village, Visitor};

/// A scheduled class of a published course that the student takes.
pub struct Class {
    /// Its id.
    pub id: LiveClassId,
    /// Its course.
    pub course: CourseId,
    /// The lesson that it is.
    pub lesson: LessonId,
    /// What is watched.
    pub timeline: TimelineId,
}

impl Class {
    /// Schedules a class now, publishes the course and enrols the student.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn schedule(village: &Village) -> Self {
        let now = Village::now();
        let mut tx = village.db.write().await.unwrap();
        let draft = Draft::new("Beekeeping", "en").unwrap();
        let (teacher, area) = (village.teacher, village.area);
        let course: InCourse<Teacher> = courses::create(&mut tx, teacher, area, &draft, now)
            .await
            .unwrap();
        let module = outline::add_module(&mut tx, &course, "Live", now)
            .await
            .unwrap();
        let new = NewClass {
            title: "Swarms".into(),
            minutes: 45,
            remind_minutes: None,
            guests: false,
            lobby: false,
        };
        let classes =
            planning::schedule(&mut tx, &course, module, &new, &[now], "Asia/Shanghai", now)
                .await
                .unwrap();
        let class = store::find(&mut tx, classes[0]).await.unwrap().unwrap();
        let revision = courses::draft(&mut tx, &course).await.unwrap().revision;
        publish::publish(&mut tx, &course, revision, now)
            .await
            .unwrap();
        let student = village.student;
        let source = Source::Learner;
        completion::enrol(
            &mut tx,
            course.course(),
            student,
            source,
            student,
            None,
            now,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        Self {
            id: class.id,
            course: course.course(),
            lesson: class.lesson_id,
            timeline: class.timeline_id,
        }
    }

    /// Path of a page of the class; `what` is empty for the class itself.
    #[must_use]
    pub fn path(&self, what: &str) -> String {
        format!("/live/{}{what}", self.id)
    }
}

/// A recording in the form that a browser's recorder makes.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn recorder(recording: &Path, folder: &Path) -> PathBuf {
    let path = folder.join("recorder.webm");
    let arguments = [
        "-v",
        "error",
        "-y",
        "-i",
        recording.to_str().unwrap(),
        "-vf",
        "scale=640:360,fps=15",
        "-c:v",
        "libvpx",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-b:v",
        "300k",
        "-g",
        "30",
        "-c:a",
        "libopus",
        "-b:a",
        "24k",
        "-ac",
        "1",
        "-cluster_time_limit",
        "250",
        "-f",
        "webm",
        path.to_str().unwrap(),
    ];
    run("ffmpeg", &arguments);
    path
}

/// Sends a recording in the time that it takes.
pub struct Publisher {
    sending: JoinHandle<Result<u64, String>>,
}

impl Publisher {
    /// Connects as whoever has this session, and begins. The file takes `length` to send.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn start(
        address: SocketAddr,
        class: &Class,
        visitor: &Visitor,
        file: &Path,
        length: Duration,
    ) -> Self {
        let mut socket = connect(address, class, visitor).await;
        let hello = PublisherMessage::Hello {
            run: RunId::new(),
            kind: RunKind::Container,
            container: Some("video/webm;codecs=vp8,opus".into()),
            take: true,
        };
        say(&mut socket, &hello).await;
        match hear(&mut socket).await {
            Some(PublishAnswer::Welcome { next: 0, .. }) => {}
            other => panic!("instead of welcome: {other:?}"),
        }
        let bytes = std::fs::read(file).unwrap();
        let sending = tokio::spawn(send(socket, bytes, length));
        Self { sending }
    }

    /// Waits until everything was sent; the end of what the server says is durable.
    ///
    /// # Panics
    /// When the server ended it.
    pub async fn finish(self) -> u64 {
        self.sending.await.unwrap().unwrap()
    }

    /// How it ended: everything was sent, or what the server said.
    ///
    /// # Errors
    /// The code of the problem.
    ///
    /// # Panics
    /// When the task failed.
    pub async fn ended(self) -> Result<u64, String> {
        self.sending.await.unwrap()
    }

    /// The link breaks.
    pub fn cut(self) {
        self.sending.abort();
    }
}

type Socket = WebSocketStream<TcpStream>;

/// A socket of the publishing protocol.
///
/// # Panics
/// When the upgrade is refused.
pub async fn connect(address: SocketAddr, class: &Class, visitor: &Visitor) -> Socket {
    let url = format!("ws://{address}{}", class.path("/publish"));
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    let mut set = |name: &'static str, value: String| {
        headers.insert(name, value.parse().unwrap());
    };
    set("origin", format!("http://{address}"));
    set("cookie", visitor.cookie());
    set("sec-websocket-protocol", SUBPROTOCOL.to_owned());
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(request, stream).await.unwrap().0
}

async fn say(socket: &mut Socket, message: &PublisherMessage) {
    let text = serde_json::to_string(message).unwrap();
    socket.send(Message::text(text)).await.unwrap();
}

/// The next answer; `None` when the server closed.
///
/// # Panics
/// When it is none of the protocol.
pub async fn hear(socket: &mut Socket) -> Option<PublishAnswer> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

/// Pieces of a file, a quarter of a second apart.
async fn send(mut socket: Socket, bytes: Vec<u8>, length: Duration) -> Result<u64, String> {
    let pieces = (length.as_millis() / 250).max(1);
    let size = bytes
        .len()
        .div_ceil(usize::try_from(pieces).unwrap())
        .max(1);
    let began = Instant::now();
    let mut recorded = 0;
    for (number, piece) in (0_u32..).zip(bytes.chunks(size)) {
        let due = began + Duration::from_millis(u64::from(number) * 250);
        loop {
            tokio::select! {
                () = sleep_until(due) => break,
                answer = hear(&mut socket) => match answer {
                    Some(PublishAnswer::Ack { recorded_ms, .. }) => recorded = recorded_ms,
                    Some(PublishAnswer::Problem { code }) => return Err(code),
                    Some(_) => {}
                    None => return Err("closed".into()),
                },
            }
        }
        let mut message = vec![3, 0, 0, 0];
        message.extend_from_slice(&number.to_be_bytes());
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(piece);
        socket
            .send(Message::binary(message))
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(recorded)
}
