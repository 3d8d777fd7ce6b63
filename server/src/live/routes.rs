//! The pages of a class: finding it, being in it without script, leading it, its attendance.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use millet_web::pages::live as pages;
use serde::Deserialize;
use sqlx::AnyConnection;

use super::on_air::OnAir;
use super::proof::{InClass, Inside, Invited, Leader, PartKind};
use super::room::act::Act;
use super::room::told::Snapshot;
use super::rooms::LiveRooms;
use super::store::Stage;
use super::{attendance, keys, page, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::form::Form;
use crate::id::{CourseId, LiveClassId, ParticipantId, PollId, StreamKeyId};
use crate::learning::lesson_routes::VisibleLesson;
use crate::notices;
use crate::people::SignedIn;
use crate::people::access::path_id;
use crate::people::view::{View, done};

/// Classes that began longer ago stand in the course, not in the list.
const LISTED_FOR: Duration = Duration::from_secs(14 * 24 * 3600);
/// A page that waits asks again by itself.
const AGAIN: (HeaderName, &str) = (header::REFRESH, "15");

/// `POST /live/{class_id}/say`
#[derive(Deserialize)]
pub struct SayForm {
    text: String,
}

/// `POST /live/{class_id}/answer`
#[derive(Deserialize)]
pub struct AnswerForm {
    poll: PollId,
    option: u8,
}

/// `POST /live/{class_id}/admit`
#[derive(Deserialize)]
pub struct AdmitForm {
    who: ParticipantId,
}

/// Where a class is.
#[must_use]
pub fn class_path(class: LiveClassId) -> String {
    format!("/live/{class}")
}

/// `GET /live`
///
/// # Errors
/// When the database fails.
pub async fn list(
    person: SignedIn,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let since =
        crate::clock::Timestamp(clock.now().0 - i64::try_from(LISTED_FOR.as_millis()).unwrap_or(0));
    let mut connection = db.read().await?;
    let mine = store::of_account(&mut connection, person.account(), since).await?;
    let kind = notices::Kind::ClassStarts;
    let reminded = notices::unread_subjects(&mut connection, person.account(), kind).await?;
    drop(connection);
    view.page(&page::list(&view, &mine, &reminded))
}

/// `GET /courses/{course_id}/lessons/{lesson_id}/live`: from a lesson that still is a class to it.
///
/// # Errors
/// When the database fails.
pub async fn of_lesson(visible: VisibleLesson, State(db): State<Db>) -> Result<Redirect, Error> {
    let mut connection = db.read().await?;
    let lesson = visible.lesson().lesson_id;
    Ok(
        match store::class_of_lesson(&mut connection, lesson).await? {
            Some(class) => Redirect::to(&class_path(class.id)),
            None => Redirect::to(&visible.path()),
        },
    )
}

async fn course_title(connection: &mut AnyConnection, course: CourseId) -> Result<String, Error> {
    let row: Option<(String,)> = sqlx::query_as("select title from course where id = $1")
        .bind(course)
        .fetch_optional(connection)
        .await?;
    row.map(|(title,)| title).ok_or(Error::NotFound)
}

/// `GET /live/{class_id}`
///
/// # Errors
/// When the database fails.
pub async fn class_page(
    proof: InClass<Invited>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(rooms): State<LiveRooms>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let title = course_title(&mut connection, proof.row().course_id).await?;
    let kind = notices::Kind::ClassStarts;
    let reminded = notices::unread_subjects(&mut connection, proof.account(), kind).await?;
    drop(connection);
    if reminded.contains(&proof.class().to_string()) {
        let mut transaction = db.write().await?;
        let (account, class) = (proof.account(), proof.class());
        notices::read(&mut transaction, account, class, clock.now()).await?;
        transaction.commit().await?;
    }
    let stage = proof.row().stage();
    let before = match stage {
        Stage::Cancelled => true,
        Stage::Scheduled => !proof.role().leads(),
        Stage::Open | Stage::Ended => false,
    };
    if before {
        return view.page(&page::lobby(&view, &proof, title, stage.word()));
    }
    let (proof, room) = look(&db, &rooms, proof).await?;
    if room.as_ref().is_some_and(|room| room.waiting) {
        let page = view.page(&page::lobby(&view, &proof, title, "waiting"))?;
        return Ok(([AGAIN], page).into_response());
    }
    show(&view, &db, &proof, title, room, String::new()).await
}

/// The room of an open class as somebody sees it; a guest who waits is announced to the leaders by
/// it. A class that was closed since it was proved comes back as it is now, without a room.
pub(super) async fn look(
    db: &Db,
    rooms: &LiveRooms,
    proof: InClass<Invited>,
) -> Result<(InClass<Invited>, Option<Snapshot>), Error> {
    if proof.row().stage() != Stage::Open {
        return Ok((proof, None));
    }
    match rooms.look(&proof).await {
        Ok(room) => Ok((proof, Some(room))),
        Err(Error::Conflict("class-closed")) => {
            let mut connection = db.read().await?;
            let now = InClass::prove(&mut connection, proof.account(), proof.class()).await?;
            Ok((now, None))
        }
        Err(other) => Err(other),
    }
}

async fn show(
    view: &View,
    db: &Db,
    proof: &InClass<Invited>,
    course_title: String,
    room: Option<Snapshot>,
    new_key: String,
) -> Result<Response, Error> {
    let keys = if proof.role().leads() {
        let mut connection = db.read().await?;
        let leader =
            InClass::<Leader>::prove(&mut connection, proof.account(), proof.class()).await?;
        keys::list(&mut connection, &leader).await?
    } else {
        Vec::new()
    };
    let inside = page::Inside {
        course_title,
        room,
        keys,
        new_key,
    };
    view.page(&page::class(view, proof, inside))
}

/// `POST /live/{class_id}/open`
///
/// # Errors
/// [`Error::Conflict`] when it is over or was cancelled.
pub async fn open(
    proof: InClass<Leader>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(rooms): State<LiveRooms>,
    State(on_air): State<OnAir>,
) -> Result<Redirect, Error> {
    let mut transaction = db.write().await?;
    let at = store::open(&mut transaction, &proof, clock.now()).await?;
    let row = store::find(&mut transaction, proof.class()).await?;
    transaction.commit().await?;
    on_air.of(&row.ok_or(Error::NotFound)?).await?;
    rooms.opened(proof.class(), at).await?;
    Ok(Redirect::to(&class_path(proof.class())))
}

/// `POST /live/{class_id}/end`: the media is closed, then the class.
///
/// # Errors
/// [`Error::Conflict`] when it is not open.
pub async fn end(
    proof: InClass<Leader>,
    State(rooms): State<LiveRooms>,
) -> Result<Redirect, Error> {
    did(&rooms, &proof, Act::End).await
}

/// `POST /live/{class_id}/say`
///
/// # Errors
/// Why the room did not take it.
pub async fn say(
    proof: InClass<Inside>,
    State(rooms): State<LiveRooms>,
    Form(form): Form<SayForm>,
) -> Result<Redirect, Error> {
    let text = form.text.replace('\r', "").trim().to_owned();
    did(&rooms, &proof, Act::Chat { text, group: None }).await
}

/// `POST /live/{class_id}/answer`
///
/// # Errors
/// Why the room did not take it.
pub async fn answer(
    proof: InClass<Inside>,
    State(rooms): State<LiveRooms>,
    Form(form): Form<AnswerForm>,
) -> Result<Redirect, Error> {
    let AnswerForm { poll, option } = form;
    did(&rooms, &proof, Act::Answer { poll, option }).await
}

/// `POST /live/{class_id}/admit`
///
/// # Errors
/// Why the room did not take it.
pub async fn admit(
    proof: InClass<Leader>,
    State(rooms): State<LiveRooms>,
    Form(form): Form<AdmitForm>,
) -> Result<Redirect, Error> {
    did(&rooms, &proof, Act::Admit { who: form.who }).await
}

async fn did<K: PartKind>(
    rooms: &LiveRooms,
    proof: &InClass<K>,
    act: Act,
) -> Result<Redirect, Error> {
    if proof.row().stage() != Stage::Open {
        return Err(Error::Conflict("class-closed"));
    }
    rooms.act(proof, act).await?;
    Ok(Redirect::to(&class_path(proof.class())))
}

/// `POST /live/{class_id}/keys`: shows the new secret, once.
///
/// # Errors
/// [`Error::Conflict`] when there are enough.
pub async fn add_key(
    proof: InClass<Leader>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(rooms): State<LiveRooms>,
) -> Result<Response, Error> {
    let mut transaction = db.write().await?;
    let token = keys::issue(&mut transaction, &proof, clock.now()).await?;
    let title = course_title(&mut transaction, proof.row().course_id).await?;
    transaction.commit().await?;
    let (proof, room) = look(&db, &rooms, proof.invited()).await?;
    show(&view, &db, &proof, title, room, token.reveal().to_owned()).await
}

/// A key of the path in the class of the path; the store asks for both together.
pub struct KeyOfClass {
    class: InClass<Leader>,
    key: StreamKeyId,
}

impl<S> FromRequestParts<S> for KeyOfClass
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Ok(Self {
            class: InClass::from_request_parts(parts, state).await?,
            key: path_id(parts, state, "key_id").await?,
        })
    }
}

/// `POST /live/{class_id}/keys/{key_id}/revoke`
///
/// # Errors
/// [`Error::NotFound`] when the class has no such key that works.
pub async fn revoke_key(
    KeyOfClass { class, key }: KeyOfClass,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Redirect, Error> {
    let mut transaction = db.write().await?;
    keys::revoke(&mut transaction, &class, key, clock.now()).await?;
    transaction.commit().await?;
    Ok(done(&class_path(class.class()), "revoked"))
}

/// `GET /live/{class_id}/attendance`
///
/// # Errors
/// When the database fails.
pub async fn attendance_page(
    proof: InClass<Leader>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let people = attendance::of_class(&mut connection, &proof).await?;
    drop(connection);
    let class = proof.row();
    let until = class.ended_at.unwrap_or_else(|| clock.now());
    let length_ms = class.opened_at.map_or(0, |opened| {
        i64::try_from(until.since(opened).as_millis()).unwrap_or(i64::MAX)
    });
    view.page(&pages::Attendance {
        class_id: class.id.to_string(),
        course_id: class.course_id.to_string(),
        title: class.title.clone(),
        starts: page::starts(&view, class),
        time_zone: class.time_zone.clone(),
        minutes: length_ms / 60_000,
        people: people
            .into_iter()
            .map(|person| pages::Attendee {
                role: person.role.word().to_owned(),
                guest: person.guest,
                came: person.came || person.played.total_ms() > 0,
                minutes: person.played.total_ms() / 60_000,
                percent: person.played.percent_of(length_ms),
                completed: person.completed,
                name: person.name,
            })
            .collect(),
    })
}
