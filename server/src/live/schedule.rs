//! When classes are: a day and an hour in a time zone, once or repeated.
//!
//! A class that repeats keeps its hour on the clock of its time zone, also when that clock is changed.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use millet_web::Language;

use crate::clock::Timestamp;
use crate::courses;
use crate::error::Error;

/// Classes that are scheduled at once: a school year of weeks.
pub const MOST_REPEATS: usize = 52;
/// Shortest and longest class, in minutes.
pub const MINUTES: std::ops::RangeInclusive<i64> = 5..=480;
/// Earliest reminder, in minutes: a week.
pub const MOST_REMIND_MINUTES: i64 = 7 * 24 * 60;
/// Furthest class from now.
const FURTHEST: Duration = Duration::from_secs(3 * 366 * 24 * 3600);
/// A class may be scheduled for a moment that has just passed: the teacher types slowly.
const JUST_PASSED: Duration = Duration::from_secs(3600);

/// How a class repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// It is once.
    No,
    /// Every day.
    Daily,
    /// Every week on the same day.
    Weekly,
}

impl Repeats {
    /// Reads the word of a form.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "" | "none" => Some(Self::No),
            "daily" => Some(Self::Daily),
            "weekly" => Some(Self::Weekly),
            _ => None,
        }
    }
}

/// What a teacher says about a class, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClass {
    /// Title.
    pub title: String,
    /// Planned length.
    pub minutes: i64,
    /// Minutes before the start when learners are reminded.
    pub remind_minutes: Option<i64>,
    /// People without an account may come in by a code.
    pub guests: bool,
    /// They wait to be let in.
    pub lobby: bool,
}

impl NewClass {
    /// Trims and checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the name of the form's field.
    pub fn checked(self) -> Result<Self, Error> {
        if !MINUTES.contains(&self.minutes) {
            return Err(invalid("minutes", "out-of-range"));
        }
        let remind = self.remind_minutes.unwrap_or(0);
        if !(0..=MOST_REMIND_MINUTES).contains(&remind) {
            return Err(invalid("remind_minutes", "out-of-range"));
        }
        Ok(Self {
            title: courses::title(&self.title)?,
            ..self
        })
    }
}

/// Days and hours of classes.
#[derive(Clone, Debug)]
pub struct When {
    at: DateTime,
    zone: TimeZone,
    name: String,
}

impl When {
    /// Reads the fields of a form: `YYYY-MM-DD`, `HH:MM`, an IANA name.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn read(date: &str, time: &str, zone: &str) -> Result<Self, Error> {
        let day: Date = self::date("date", date)?;
        let hour: Time = time.trim().parse().map_err(|_| invalid("time", "time"))?;
        let name = zone.trim().to_owned();
        let zone = self::zone(&name).ok_or_else(|| invalid("time_zone", "time-zone"))?;
        Ok(Self {
            at: day.to_datetime(hour),
            zone,
            name,
        })
    }

    /// IANA name.
    #[must_use]
    pub fn zone_name(&self) -> &str {
        &self.name
    }

    /// The moments of the classes, in order. An hour that the clock skips is the next one there is; of
    /// an hour that it has twice, the first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a moment that is over or too far away, or more than [`MOST_REPEATS`].
    pub fn occurrences(
        &self,
        repeats: Repeats,
        times: Option<i64>,
        until: Option<Date>,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, Error> {
        let step = match repeats {
            Repeats::No => return Ok(vec![self.moment(self.at, now)?]),
            Repeats::Daily => 1,
            Repeats::Weekly => 7,
        };
        let most = i64::try_from(MOST_REPEATS).unwrap_or(i64::MAX);
        let times = match (times, until) {
            (Some(times), _) if (1..=most).contains(&times) => times,
            (None, Some(until)) if until >= self.at.date() => most + 1,
            (None, None) => return Err(invalid("times", "required")),
            (Some(_), _) => return Err(invalid("times", "out-of-range")),
            (None, Some(_)) => return Err(invalid("until", "out-of-range")),
        };
        let mut moments = Vec::new();
        for number in 0..times {
            let day = jiff::Span::new().try_days(number * step);
            let at = day.and_then(|span| self.at.checked_add(span));
            let at = at.map_err(|_| invalid("date", "out-of-range"))?;
            if until.is_some_and(|until| at.date() > until) {
                break;
            }
            moments.push(self.moment(at, now)?);
        }
        if moments.len() > MOST_REPEATS {
            return Err(invalid("until", "out-of-range"));
        }
        Ok(moments)
    }

    fn moment(&self, at: DateTime, now: Timestamp) -> Result<Timestamp, Error> {
        let zoned = self.zone.to_ambiguous_zoned_datetime(at).compatible();
        let zoned = zoned.map_err(|_| invalid("date", "out-of-range"))?;
        let moment = Timestamp(zoned.timestamp().as_millisecond());
        let passed = now.since(moment) > JUST_PASSED;
        if passed || moment.since(now) > FURTHEST {
            return Err(invalid("date", "out-of-range"));
        }
        Ok(moment)
    }
}

/// A day of a form; `None` for an empty field.
///
/// # Errors
/// [`Error::Invalid`].
pub fn optional_date(field: &'static str, given: &str) -> Result<Option<Date>, Error> {
    if given.trim().is_empty() {
        return Ok(None);
    }
    date(field, given).map(Some)
}

fn date(field: &'static str, given: &str) -> Result<Date, Error> {
    given.trim().parse().map_err(|_| invalid(field, "date"))
}

fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

fn civil(moment: Timestamp, zone_name: &str) -> Option<DateTime> {
    let moment = jiff::Timestamp::from_millisecond(moment.0).ok()?;
    let zone = zone(zone_name).unwrap_or(TimeZone::UTC);
    Some(moment.to_zoned_datetime(zone).datetime())
}

/// A moment in words, on the clock of its time zone.
#[must_use]
pub fn words(language: Language, moment: Timestamp, zone_name: &str) -> String {
    let Some(at) = civil(moment, zone_name) else {
        return String::new();
    };
    let (day, hour, minute) = (at.date(), at.hour(), at.minute());
    match language {
        Language::ZhCn => format!(
            "{}年{}月{}日 {hour}:{minute:02}",
            day.year(),
            day.month(),
            day.day()
        ),
        Language::En => format!("{day} {hour:02}:{minute:02}"),
    }
}

/// A moment as fields of a form: day and hour.
#[must_use]
pub fn fields(moment: Timestamp, zone_name: &str) -> (String, String) {
    civil(moment, zone_name).map_or_else(Default::default, |at| {
        let time = format!("{:02}:{:02}", at.hour(), at.minute());
        (at.date().to_string(), time)
    })
}

fn invalid(field: &'static str, reason: &'static str) -> Error {
    Error::Invalid { field, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01 00:00 UTC.
    const NOW: Timestamp = Timestamp(1_772_323_200_000);
    const HOUR: i64 = 3_600_000;

    fn when(date: &str, time: &str, zone: &str) -> When {
        When::read(date, time, zone).unwrap()
    }

    #[test]
    fn a_class_keeps_its_hour_when_the_clock_is_changed() {
        // Berlin goes to summer time on 2026-03-29.
        let weekly = when("2026-03-20", "19:30", "Europe/Berlin");
        let moments = weekly
            .occurrences(Repeats::Weekly, Some(3), None, NOW)
            .unwrap();
        let gaps: Vec<i64> = moments
            .windows(2)
            .map(|pair| pair[1].0 - pair[0].0)
            .collect();
        assert_eq!(gaps, [7 * 24 * HOUR, (7 * 24 - 1) * HOUR]);
        for moment in moments {
            let (_, time) = fields(moment, "Europe/Berlin");
            assert_eq!(time, "19:30");
        }
    }

    #[test]
    fn a_skipped_hour_is_the_next_and_a_doubled_one_the_first() {
        let skipped = when("2026-03-29", "02:30", "Europe/Berlin");
        let moment = skipped.occurrences(Repeats::No, None, None, NOW).unwrap()[0];
        assert_eq!(fields(moment, "Europe/Berlin").1, "03:30");
        let doubled = when("2026-10-25", "02:30", "Europe/Berlin");
        let moment = doubled.occurrences(Repeats::No, None, None, NOW).unwrap()[0];
        assert_eq!(fields(moment, "UTC").1, "00:30");
    }

    #[test]
    fn a_day_s_class_ends_with_its_last_day_or_its_count() {
        let daily = when("2026-03-02", "08:00", "Asia/Shanghai");
        let until = optional_date("until", "2026-03-06").unwrap();
        let days = daily.occurrences(Repeats::Daily, None, until, NOW).unwrap();
        assert_eq!(days.len(), 5);
        assert_eq!(
            words(Language::ZhCn, days[4], "Asia/Shanghai"),
            "2026年3月6日 8:00"
        );
        let far = optional_date("until", "2026-12-31").unwrap();
        assert!(daily.occurrences(Repeats::Daily, None, far, NOW).is_err());
        assert!(daily.occurrences(Repeats::Weekly, None, far, NOW).is_ok());
        assert!(
            daily
                .occurrences(Repeats::Daily, Some(53), None, NOW)
                .is_err()
        );
        assert!(daily.occurrences(Repeats::Daily, None, None, NOW).is_err());
    }

    #[test]
    fn what_is_no_moment_to_come_is_refused_by_field() {
        for (date, time, zone, field) in [
            ("2026-02-30", "08:00", "UTC", "date"),
            ("2026-03-02", "25:00", "UTC", "time"),
            ("2026-03-02", "08:00", "Mars/Olympus", "time_zone"),
        ] {
            match When::read(date, time, zone) {
                Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{other:?}"),
            }
        }
        for date in ["2026-02-27", "2036-01-01"] {
            let when = when(date, "08:00", "UTC");
            assert!(when.occurrences(Repeats::No, None, None, NOW).is_err());
        }
    }
}
