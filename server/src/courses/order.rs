//! The order of a draft: modules and lessons change places.

use sqlx::AnyConnection;

use super::outline::{Lesson, lessons, modules};
use super::proof::InCourse;
use super::store::touch;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{LessonId, ModuleId};
use crate::people::Teacher;

/// Which way to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Earlier.
    Up,
    /// Later.
    Down,
}

/// Moves a module by one place; at the end of the list it stays.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such module.
pub async fn move_module(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    module: ModuleId,
    direction: Direction,
    now: Timestamp,
) -> Result<(), Error> {
    // Locks the draft first, so that the order that is read is the order that is changed.
    touch(&mut *connection, proof, None, now).await?;
    let mut order = modules(&mut *connection, proof).await?;
    let at = order.iter().position(|m| m.id == module);
    swap(&mut order, at.ok_or(Error::NotFound)?, direction);
    for (position, module) in (0_i64..).zip(&order) {
        if module.position != position {
            sqlx::query("update module set position = $1 where id = $2 and course_id = $3")
                .bind(position)
                .bind(module.id)
                .bind(proof.course())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Moves a lesson by one place; from the end of a module it goes into the next one.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such lesson.
pub async fn move_lesson(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    lesson: LessonId,
    direction: Direction,
    now: Timestamp,
) -> Result<(), Error> {
    touch(&mut *connection, proof, None, now).await?;
    let modules = modules(&mut *connection, proof).await?;
    let all = lessons(&mut *connection, proof).await?;
    let mut order: Vec<(ModuleId, Vec<Lesson>)> = modules
        .iter()
        .map(|module| {
            let own = all.iter().filter(|l| l.module_id == module.id).cloned();
            (module.id, own.collect())
        })
        .collect();
    step(&mut order, lesson, direction).ok_or(Error::NotFound)?;
    for (module, lessons) in &order {
        for (position, lesson) in (0_i64..).zip(lessons) {
            if lesson.position != position || lesson.module_id != *module {
                sqlx::query(
                    "update lesson set position = $1, module_id = $2 \
                     where id = $3 and course_id = $4",
                )
                .bind(position)
                .bind(module)
                .bind(lesson.id)
                .bind(proof.course())
                .execute(&mut *connection)
                .await?;
            }
        }
    }
    Ok(())
}

fn swap<T>(order: &mut [T], at: usize, direction: Direction) {
    match direction {
        Direction::Up if at > 0 => order.swap(at, at - 1),
        Direction::Down if at + 1 < order.len() => order.swap(at, at + 1),
        Direction::Up | Direction::Down => {}
    }
}

/// Moves a lesson within the nested order; `None` when it is not there.
fn step(
    order: &mut [(ModuleId, Vec<Lesson>)],
    lesson: LessonId,
    direction: Direction,
) -> Option<()> {
    let (module, at) = order
        .iter()
        .enumerate()
        .find_map(|(module, (_, lessons))| {
            let at = lessons.iter().position(|l| l.id == lesson)?;
            Some((module, at))
        })?;
    let last = order[module].1.len() - 1;
    match direction {
        Direction::Up if at == 0 && module > 0 => {
            let lesson = order[module].1.remove(0);
            order[module - 1].1.push(lesson);
        }
        Direction::Down if at == last && module + 1 < order.len() => {
            let lesson = order[module].1.remove(at);
            order[module + 1].1.insert(0, lesson);
        }
        Direction::Up | Direction::Down => swap(&mut order[module].1, at, direction),
    }
    Some(())
}
