//! Which part of a recorded class is shown. Nothing is cut away: it can be shown again.

use millet_manifest::Timeline;
use sqlx::AnyConnection;

use super::proof::{InClass, Leader};
use crate::error::Error;
use crate::timelines::trim::{Trim, trimmed};

/// Reads what a teacher typed; an empty field leaves that end as it was recorded.
///
/// # Errors
/// [`Error::Invalid`] for what is no time, and for a part in which there is nothing.
pub fn read(timeline: &Timeline, from: &str, until: &str) -> Result<Trim, Error> {
    let from_ms = time("from", from)?.unwrap_or(0);
    let until_ms = time("until", until)?;
    let nothing = Error::Invalid {
        field: "until",
        reason: "trim-empty",
    };
    let end_ms = until_ms.unwrap_or(u64::MAX).min(timeline.duration_ms);
    if from_ms >= end_ms {
        return Err(nothing);
    }
    let trim = Trim::at_cuts(timeline, from_ms, until_ms);
    if trimmed(timeline, trim).renditions.is_empty() {
        return Err(nothing);
    }
    Ok(trim)
}

/// `m:ss` or `h:mm:ss` in milliseconds.
fn time(field: &'static str, text: &str) -> Result<Option<u64>, Error> {
    let invalid = || Error::Invalid {
        field,
        reason: "trim-time",
    };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let numbers: Option<Vec<u64>> = text
        .split([':', '：'])
        .map(|part| {
            let digits = !part.is_empty() && part.len() <= 4;
            let digits = digits && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        })
        .collect();
    let seconds = match numbers.as_deref() {
        Some([minutes, seconds]) if *seconds < 60 => minutes * 60 + seconds,
        Some([hours, minutes, seconds]) if *minutes < 60 && *seconds < 60 => {
            (hours * 60 + minutes) * 60 + seconds
        }
        _ => return Err(invalid()),
    };
    Ok(Some(seconds * 1000))
}

/// A time as [`read`] takes it.
#[must_use]
pub fn words(ms: i64) -> String {
    let seconds = ms / 1000;
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    if minutes < 60 {
        return format!("{minutes}:{seconds:02}");
    }
    format!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60)
}

/// Shows this part from now on. Attendance is to be settled anew: who watched enough of what remains has
/// completed the lesson, and nobody loses what he or she has.
///
/// # Errors
/// [`Error::Conflict`] while the class goes on.
pub async fn set(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
    trim: Trim,
) -> Result<(), Error> {
    let unsettled = sqlx::query(
        "update live_class set settled_at = null where id = $1 and ended_at is not null",
    )
    .bind(proof.class())
    .execute(&mut *connection)
    .await?;
    if unsettled.rows_affected() != 1 {
        return Err(Error::Conflict("class-goes-on"));
    }
    sqlx::query("update timeline set shown_from_ms = $1, shown_until_ms = $2 where id = $3")
        .bind(trim.from_ms)
        .bind(trim.until_ms)
        .bind(proof.row().timeline_id)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;

    #[test]
    fn times_are_minutes_and_seconds_with_hours_before_them() {
        let read = |text: &str| time("from", text).ok().flatten();
        assert_eq!(read(" 2:05 "), Some(125_000));
        assert_eq!(read("75:00"), Some(4_500_000));
        assert_eq!(read("1：15：00"), Some(4_500_000));
        for bad in ["2:60", "1:75:00", "12", "a:b", "-1:00", "1:2:3:4", ":30"] {
            assert!(time("from", bad).is_err(), "{bad}");
        }
        assert_eq!(read(""), None);
        assert_eq!(
            (words(125_999), words(4_500_000)),
            ("2:05".into(), "1:15:00".into())
        );
    }

    #[test]
    fn a_part_with_nothing_in_it_is_refused() {
        let timeline = lecture(60_000);
        assert_eq!(read(&timeline, "0:20", "").unwrap().from_ms, 16_000);
        assert!(read(&timeline, "", "").unwrap().is_whole());
        for (from, until) in [("0:30", "0:20"), ("5:00", ""), ("", "0:00")] {
            assert!(read(&timeline, from, until).is_err(), "{from} {until}");
        }
    }
}
