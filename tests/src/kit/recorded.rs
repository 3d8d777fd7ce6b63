//! A class that is over, without the time that it takes to hold one: the media of a prepared lecture, and
//! a journal that says what happened.

use bytes::Bytes;
use millet_manifest::{TIMELINE_FILE, Timeline};
use millet_server::clock::{Clock, Timestamp};
use millet_server::id::{LiveClassId, ParticipantId, TimelineId};
use millet_server::jobs::prepared::prefix;
use millet_server::live::deck_store;
use millet_server::live::decks::Decks;
use millet_server::live::proof::{InClass, Leader};
use millet_server::live::room::act::{Act, Role};
use millet_server::live::room::told::{Deck, Happened, Person};
use millet_server::live::store;
use millet_server::objects::{Key, Objects};
use sqlx::AnyConnection;

use super::media::run;
use super::{Class, Course, Storage, Village};

/// See the module.
pub struct Recorded {
    /// The class.
    pub class: Class,
    /// Its slides.
    pub deck: Deck,
    /// Length.
    pub duration_ms: i64,
    /// When its segments begin.
    pub cuts_ms: Vec<u64>,
}

impl Recorded {
    /// A class in which the host did all this with slides of three pages, each at its time.
    ///
    /// # Panics
    /// When a store fails.
    pub async fn hold(
        storage: &Storage,
        village: &Village,
        lecture: &Course,
        acts: impl FnOnce(&Deck) -> Vec<(u64, Act)>,
    ) -> Self {
        let class = Class::schedule(village).await;
        let objects = Objects::open(storage.objects()).await.unwrap();
        let timeline = copy(&objects, lecture.timeline, class.timeline).await;
        let pages = Decks::new(storage.folder())
            .draw(slides(storage))
            .await
            .unwrap();
        let now = Village::now();
        let mut connection = village.db.read().await.unwrap();
        let leader = InClass::<Leader>::prove(&mut connection, village.teacher, class.id)
            .await
            .unwrap();
        drop(connection);
        let (db, clock) = (&village.db, &Clock::System);
        let name = "Bees in spring.pdf";
        let deck = deck_store::store(db, &objects, &leader, name, pages, clock)
            .await
            .unwrap();
        let mut tx = village.db.write().await.unwrap();
        store::open(&mut tx, &leader, now).await.unwrap();
        let host = Person {
            id: ParticipantId::new(),
            name: "Li Na".into(),
            role: Role::Host,
            present: true,
            hand_ms: None,
            floor: false,
            muted: false,
        };
        let by = host.id;
        let mut story = vec![
            (0, Happened::Opened),
            (0, Happened::Came { person: host }),
            (0, Happened::DeckAdded { deck: deck.clone() }),
        ];
        let done = |(at_ms, act): (u64, Act)| (at_ms, Happened::Done { by, act });
        story.extend(acts(&deck).into_iter().map(done));
        story.push((timeline.duration_ms, Happened::Ended));
        write(&mut tx, class.id, &story, now).await;
        let duration_ms = i64::try_from(timeline.duration_ms).unwrap();
        store::close(&mut tx, class.id, duration_ms, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            class,
            deck,
            duration_ms,
            cuts_ms: timeline.cuts_ms,
        }
    }

    /// Path of the lesson that it is.
    #[must_use]
    pub fn lesson_path(&self) -> String {
        format!(
            "/courses/{}/lessons/{}",
            self.class.course, self.class.lesson
        )
    }
}

/// The number that an act gets in the journal: three events stand before the first.
#[must_use]
pub fn sequence_of(act: u64) -> u64 {
    act + 4
}

async fn write(
    connection: &mut AnyConnection,
    class: LiveClassId,
    story: &[(u64, Happened)],
    now: Timestamp,
) {
    for (sequence, (at_ms, happened)) in (1_i64..).zip(story) {
        sqlx::query(
            "insert into live_event (class_id, sequence, at_ms, body, recorded_at) \
             values ($1, $2, $3, $4, $5)",
        )
        .bind(class)
        .bind(sequence)
        .bind(i64::try_from(*at_ms).unwrap())
        .bind(serde_json::to_string(happened).unwrap())
        .bind(now)
        .execute(&mut *connection)
        .await
        .unwrap();
    }
}

/// The objects of one timeline once more, described as those of a class.
async fn copy(objects: &Objects, from: TimelineId, to: TimelineId) -> Timeline {
    let key = |timeline, file: &str| Key::new(format!("{}/{file}", prefix(timeline))).unwrap();
    let json = objects.get(&key(from, TIMELINE_FILE)).await.unwrap();
    let mut timeline = Timeline::from_json(&json).unwrap();
    timeline.hls = "live.m3u8".into();
    timeline.downloads.clear();
    timeline.chapters.clear();
    let mut files: Vec<String> = Vec::new();
    for rendition in &timeline.renditions {
        files.push(rendition.init.file.clone());
        files.extend(rendition.segments.iter().map(|own| own.file.clone()));
    }
    files.extend(timeline.stills.iter().map(|still| still.file.clone()));
    files.extend(timeline.poster.iter().map(|poster| poster.file.clone()));
    for file in files {
        let bytes = objects.get(&key(from, &file)).await.unwrap();
        objects.put(&key(to, &file), bytes).await.unwrap();
    }
    let json = serde_json::to_vec(&timeline).unwrap();
    objects
        .put(&key(to, TIMELINE_FILE), json.into())
        .await
        .unwrap();
    timeline
}

/// Three pages that look like a teacher's.
fn slides(storage: &Storage) -> Vec<Bytes> {
    let page = |(number, title): (usize, &&str)| {
        let path = storage.folder().join(format!("slide{number}.png"));
        let draw = format!(
            "drawbox=x=0:y=0:w=1280:h=120:color=0x1f6f50:t=fill,\
             drawtext=text='{title}':x=60:y=36:fontsize=52:fontcolor=white,\
             drawtext=text='Page {number}':x=90:y=320:fontsize=72:fontcolor=black"
        );
        let arguments = [
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "color=c=0xf7f4ea:s=1280x720:d=1",
            "-vf",
            &draw,
            "-frames:v",
            "1",
            path.to_str().unwrap(),
        ];
        run("ffmpeg", &arguments);
        Bytes::from(std::fs::read(path).unwrap())
    };
    let titles = ["Why bees swarm", "A new queen", "Catching a swarm"];
    (1..).zip(&titles).map(page).collect()
}
