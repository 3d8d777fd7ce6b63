//! What the page of a class shows, from its row and its room.

use millet_web::pages::live as pages;

use super::keys::Key;
use super::proof::{InClass, Invited, PartKind};
use super::room::act::Role;
use super::room::told::{ChatLine, PollState, Snapshot};
use super::schedule;
use super::store::{Class, Mine, Stage};
use crate::learning::lesson_routes::opaque;
use crate::people::view::View;

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// When a class is, on the clock of its time zone.
#[must_use]
pub fn starts(view: &View, class: &Class) -> String {
    schedule::words(view.language(), class.starts_at, &class.time_zone)
}

/// A line of a list.
#[must_use]
pub fn line(view: &View, class: &Class, course_title: &str, reminded: bool) -> pages::ClassLine {
    pages::ClassLine {
        id: class.id.to_string(),
        title: class.title.clone(),
        course_title: course_title.to_owned(),
        starts: starts(view, class),
        time_zone: class.time_zone.clone(),
        state: class.stage().word().to_owned(),
        reminded,
    }
}

/// The lists of somebody's classes.
#[must_use]
pub fn list(view: &View, mine: &[Mine], reminded: &[String]) -> pages::ClassList {
    let of = |stage: Stage| -> Vec<pages::ClassLine> {
        mine.iter()
            .filter(|mine| mine.class.stage() == stage)
            .map(|mine| {
                let is_new = reminded.contains(&mine.class.id.to_string());
                line(view, &mine.class, &mine.course_title, is_new)
            })
            .collect()
    };
    let mut ended = of(Stage::Ended);
    ended.reverse();
    pages::ClassList {
        open: of(Stage::Open),
        upcoming: of(Stage::Scheduled),
        ended,
    }
}

/// The page before the door.
#[must_use]
pub fn lobby<K: PartKind>(
    view: &View,
    proof: &InClass<K>,
    course_title: String,
    state: &str,
) -> pages::Lobby {
    let class = proof.row();
    pages::Lobby {
        class_id: class.id.to_string(),
        course_id: class.course_id.to_string(),
        title: class.title.clone(),
        course_title,
        state: state.to_owned(),
        starts: starts(view, class),
        time_zone: class.time_zone.clone(),
        guest: proof.is_guest(),
    }
}

/// What the page of a class needs beside its row.
#[derive(Default)]
pub struct Inside {
    /// Title of the course.
    pub course_title: String,
    /// The room; absent while the class is not open.
    pub room: Option<Snapshot>,
    /// Keys; for leaders.
    pub keys: Vec<Key>,
    /// Secret of a key that was just made.
    pub new_key: String,
}

/// The page of a class.
#[must_use]
pub fn class(view: &View, proof: &InClass<Invited>, inside: Inside) -> pages::Class {
    let row = proof.row();
    let (leads, open) = (proof.role().leads(), row.stage() == Stage::Open);
    let path = format!("/live/{}", row.id);
    let for_leaders = |text: String| if leads { text } else { String::new() };
    let room = inside.room.as_ref();
    let role = room
        .and_then(|room| room.people.iter().find(|person| person.id == room.me))
        .map_or(proof.role(), |person| person.role);
    let silent = room.is_none_or(|room| {
        let muted = room
            .people
            .iter()
            .any(|person| person.id == room.me && person.muted);
        role == Role::Observer || (!leads && (muted || !room.chat_open))
    });
    let lesson = (row.stage() == Stage::Ended).then(|| {
        let (course, lesson) = (row.course_id, row.lesson_id);
        format!("/courses/{course}/lessons/{lesson}")
    });
    pages::Class {
        class_id: row.id.to_string(),
        course_id: row.course_id.to_string(),
        title: row.title.clone(),
        course_title: inside.course_title,
        state: row.stage().word().to_owned(),
        starts_at: row.starts_at.0,
        starts: starts(view, row),
        time_zone: row.time_zone.clone(),
        role: role.word().to_owned(),
        leads,
        guest: proof.is_guest(),
        timeline_id: row.timeline_id.to_string(),
        learner: opaque(proof.account()),
        sound: format!("{path}/sound"),
        hls: format!("/media/{}/live.m3u8", row.timeline_id),
        publish: for_leaders(format!("{path}/publish")),
        decks: for_leaders(format!("{path}/decks")),
        code: for_leaders(row.code.clone().unwrap_or_default()),
        announcement: room.map_or_else(String::new, |room| room.announcement.clone()),
        slide: room.and_then(slide),
        present: room.map_or(0, |room| {
            let present = room.people.iter().filter(|person| person.present);
            i64::try_from(present.count()).unwrap_or(i64::MAX)
        }),
        chat: room.map_or_else(Vec::new, |room| {
            let for_all = room.chat.iter().filter(|line| line.group.is_none());
            for_all.map(chat_line).collect()
        }),
        may_say: open && !silent,
        waits: room.map_or_else(Vec::new, |room| {
            room.waits
                .iter()
                .map(|person| pages::Waiting {
                    id: person.id.to_string(),
                    name: person.name.clone(),
                })
                .collect()
        }),
        polls: room.map_or_else(Vec::new, |room| {
            let answers = open && !leads && role > Role::Observer;
            room.polls
                .iter()
                .map(|asked| poll(asked, answers))
                .collect()
        }),
        lesson: lesson.filter(|_| !proof.is_guest()),
        keys: inside
            .keys
            .into_iter()
            .map(|key| pages::Key {
                id: key.id.to_string(),
                created_at: key.created_at.0,
            })
            .collect(),
        new_key: inside.new_key,
    }
}

fn slide(room: &Snapshot) -> Option<String> {
    let (deck, page) = room.slide?;
    let deck = room.decks.iter().find(|own| own.id == deck)?;
    deck.pages.get(usize::from(page)).cloned()
}

fn chat_line(line: &ChatLine) -> pages::ChatLine {
    pages::ChatLine {
        sequence: number(line.sequence),
        at_ms: number(line.at_ms),
        name: line.name.clone(),
        text: line.text.clone(),
    }
}

fn poll(asked: &PollState, answers: bool) -> pages::Poll {
    let is = |own: Option<u8>, index: usize| own.is_some_and(|own| usize::from(own) == index);
    pages::Poll {
        id: asked.poll.id.to_string(),
        question: asked.poll.question.clone(),
        options: asked
            .poll
            .options
            .iter()
            .enumerate()
            .map(|(index, text)| pages::PollOption {
                index: i64::try_from(index).unwrap_or(i64::MAX),
                text: text.clone(),
                count: i64::from(asked.counts.get(index).copied().unwrap_or(0)),
                own: is(asked.own, index),
                right: is(asked.poll.right, index),
            })
            .collect(),
        may_answer: answers && !asked.closed,
        closed: asked.closed,
    }
}
