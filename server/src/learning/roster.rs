//! A list of learners as CSV: read whole, checked whole, enrolled whole or not at all.

use std::collections::HashSet;

use sqlx::AnyConnection;

use super::cohorts;
use super::enrolment::{self, Source};
use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::courses::store as courses;
use crate::error::Error;
use crate::id::{AccountId, CohortId};
use crate::people::Teacher;
use crate::people::accounts::{self, GivenName};

/// Most learners of one list.
const MOST_LINES: usize = 2_000;

/// What is wrong in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Line, from 1.
    pub line: usize,
    /// What stood there; as typed, for the one who typed it.
    pub column: String,
    /// Text key below `line-`.
    pub reason: &'static str,
}

/// The first column of each line with its number.
///
/// # Errors
/// The lines that cannot be read.
pub fn read(text: &str) -> Result<Vec<(usize, String)>, Vec<LineError>> {
    // The reader counts a carriage return as a line of its own.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for record in reader.records() {
        let Ok(record) = record else {
            errors.push(LineError {
                line: lines.len() + 1,
                column: String::new(),
                reason: "malformed",
            });
            continue;
        };
        let line = record
            .position()
            .and_then(|position| usize::try_from(position.line()).ok())
            .unwrap_or(0);
        let name = record.get(0).unwrap_or("").to_owned();
        let reason = if name.is_empty() {
            Some("empty")
        } else if !seen.insert(GivenName::new(&name)) {
            Some("twice")
        } else if lines.len() >= MOST_LINES {
            Some("too-many")
        } else {
            None
        };
        match reason {
            Some(reason) => errors.push(LineError {
                line,
                column: name,
                reason,
            }),
            None => lines.push((line, name)),
        }
        if errors.len() > 100 {
            break;
        }
    }
    if errors.is_empty() {
        Ok(lines)
    } else {
        Err(errors)
    }
}

/// Enrols everybody of the list, who all belong to the teacher's area; with any error nobody is
/// enrolled.
///
/// # Errors
/// [`Error::NotFound`] for a cohort of another course or a draft, or when the database fails.
pub async fn enrol(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
    text: &str,
    cohort: Option<CohortId>,
    now: Timestamp,
) -> Result<Result<Vec<AccountId>, Vec<LineError>>, Error> {
    let lines = match read(text) {
        Ok(lines) => lines,
        Err(errors) => return Ok(Err(errors)),
    };
    if let Some(cohort) = cohort
        && !cohorts::list(&mut *connection, course)
            .await?
            .iter()
            .any(|own| own.id == cohort)
    {
        return Err(Error::NotFound);
    }
    let (mut found, mut errors) = (Vec::with_capacity(lines.len()), Vec::new());
    for (line, name) in lines {
        let given = GivenName::new(&name);
        let account = match accounts::by_name_or_phone(&mut *connection, &given).await? {
            Some(account) if course.reaches(&mut *connection, account.id).await? => account.id,
            // Somebody elsewhere is answered like nobody: a list must not find out who there is.
            _ => {
                errors.push(LineError {
                    line,
                    column: name,
                    reason: "unknown",
                });
                continue;
            }
        };
        found.push(account);
    }
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    courses::hold(&mut *connection, course.course()).await?;
    // Two lists of different courses may concern the same households.
    found.sort_unstable();
    // One name is a person whom the teacher enrols, not a list.
    let source = match found.len() {
        1 => Source::Teacher,
        _ => Source::Csv,
    };
    for account in &found {
        let by = course.account();
        enrolment::enrol(
            &mut *connection,
            course.course(),
            *account,
            source,
            by,
            cohort,
            now,
        )
        .await?;
    }
    Ok(Ok(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_lines() {
        let good = read("\u{feff}li.na, Li Na\r\n+8613800000000\n").unwrap();
        assert_eq!(
            good,
            [(1, "li.na".to_owned()), (2, "+8613800000000".to_owned())]
        );
        let errors = read("a\nb\nA\n,x\n13800000000\n138-0000 0000\n").unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (e.line, e.reason)).collect();
        assert_eq!(found, [(3, "twice"), (4, "empty"), (6, "twice")]);
    }
}
