//! Courses: drafts that teachers edit, published versions that learners follow, and who teaches.
//!
//! A draft changes under a count (its revision); publishing freezes it into a version that never
//! changes again.

pub mod captions;
#[cfg(test)]
mod captions_tests;
pub mod cover;

pub mod order;
pub mod outline;
pub mod proof;
pub mod publish;
pub mod shown;

pub mod store;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::error::Error;

/// Longest title, in characters.
pub const LONGEST_TITLE: usize = 120;
/// Longest description, in characters.
pub const LONGEST_DESCRIPTION: usize = 4_000;
/// Longest text of a lesson, in characters.
pub const LONGEST_BODY: usize = 40_000;
/// Longest course, in minutes: 1000 hours.
const LONGEST_COURSE: i64 = 60_000;
/// Share of a lesson that must be watched unless the teacher says otherwise, in percent.
pub const REQUIRED_PERCENT: i64 = 90;
/// Modules and lessons that one course may have.
pub const MOST_MODULES: usize = 100;
/// See [`MOST_MODULES`].
pub const MOST_LESSONS: usize = 500;

/// What a lesson is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LessonKind {
    /// A prepared timeline.
    Video,
    /// Words.
    Text,
    /// A file to keep; cannot be made yet.
    File,
    /// Questions; cannot be made yet.
    Quiz,
    /// A live class, and its recording afterwards; made by scheduling one.
    Live,
}

impl LessonKind {
    const ALL: [Self; 5] = [Self::Video, Self::Text, Self::File, Self::Quiz, Self::Live];

    /// The word in the database and in forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Text => "text",
            Self::File => "file",
            Self::Quiz => "quiz",
            Self::Live => "live",
        }
    }

    /// Reads [`LessonKind::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether teachers can make lessons of this kind in the outline.
    #[must_use]
    pub fn is_available(self) -> bool {
        matches!(self, Self::Video | Self::Text)
    }
}

/// The fields of a course that its editor changes, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Title.
    pub title: String,
    /// Plain paragraphs.
    pub description: String,
    /// BCP 47.
    pub language: String,
    /// ISCED 2011, 0 to 8.
    pub isced_level: i64,
    /// ISCED-F 2013 detailed field, four digits.
    pub isced_field: String,
    /// Estimated length.
    pub estimated_minutes: i64,
    /// Share of a lesson that must be watched, 1 to 100.
    pub required_percent: i64,
}

impl Draft {
    /// What a new course has besides its title and language.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn new(title: &str, language: &str) -> Result<Self, Error> {
        Self {
            title: title.to_owned(),
            description: String::new(),
            language: language.to_owned(),
            // Lower secondary; "field unknown".
            isced_level: 2,
            isced_field: "9999".to_owned(),
            estimated_minutes: 60,
            required_percent: REQUIRED_PERCENT,
        }
        .checked()
    }

    /// Trims and checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the name of the form's field.
    pub fn checked(self) -> Result<Self, Error> {
        let draft = Self {
            title: title(&self.title)?,
            description: text("description", &self.description, LONGEST_DESCRIPTION)?,
            language: language(&self.language)?,
            isced_field: self.isced_field.trim().to_owned(),
            ..self
        };
        within("isced_level", draft.isced_level, 0, 8)?;
        within(
            "estimated_minutes",
            draft.estimated_minutes,
            1,
            LONGEST_COURSE,
        )?;
        within("required_percent", draft.required_percent, 1, 100)?;
        let digits = draft.isced_field.bytes().all(|b| b.is_ascii_digit());
        if draft.isced_field.len() != 4 || !digits {
            return Err(invalid("isced_field", "isced-field"));
        }
        Ok(draft)
    }
}

/// A title: one line, not empty.
///
/// # Errors
/// [`Error::Invalid`].
pub fn title(given: &str) -> Result<String, Error> {
    let title = text("title", given, LONGEST_TITLE)?.replace('\n', " ");
    if title.is_empty() {
        return Err(invalid("title", "required"));
    }
    Ok(title)
}

/// The text of a text lesson.
///
/// # Errors
/// [`Error::Invalid`].
pub fn body(given: &str) -> Result<String, Error> {
    text("body", given, LONGEST_BODY)
}

fn text(field: &'static str, given: &str, longest: usize) -> Result<String, Error> {
    // Forms send CR LF; other control characters have no business in a text.
    let clean: String = given
        .chars()
        .filter(|c| *c == '\n' || *c == '\t' || !c.is_control())
        .collect();
    let clean = clean.trim().to_owned();
    if clean.chars().count() > longest {
        return Err(invalid(field, "too-long"));
    }
    Ok(clean)
}

/// A BCP 47 tag by its form (RFC 5646 section 2.1): a language of two or three letters, subtags of
/// up to eight letters or digits.
fn language(given: &str) -> Result<String, Error> {
    let tag = given.trim();
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or("");
    let good = tag.len() <= 35
        && (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    if good {
        Ok(tag.to_owned())
    } else {
        Err(invalid("language", "language"))
    }
}

fn within(field: &'static str, value: i64, least: i64, most: i64) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(invalid(field, "out-of-range"))
    }
}

fn invalid(field: &'static str, reason: &'static str) -> Error {
    Error::Invalid { field, reason }
}

#[cfg(test)]
mod rules {
    use super::*;

    fn refused(change: impl Fn(&mut Draft)) -> &'static str {
        let mut draft = Draft::new("Beekeeping", "zh-CN").unwrap();
        change(&mut draft);
        match draft.checked() {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_field_is_checked_by_name() {
        assert_eq!(refused(|d| d.title = " \n ".into()), "title");
        assert_eq!(refused(|d| d.title = "x".repeat(121)), "title");
        assert_eq!(refused(|d| d.description = "x".repeat(4001)), "description");
        assert_eq!(refused(|d| d.language = "chinese".into()), "language");
        assert_eq!(refused(|d| d.language = "zh_CN".into()), "language");
        assert_eq!(refused(|d| d.isced_level = 9), "isced_level");
        assert_eq!(refused(|d| d.isced_field = "12a4".into()), "isced_field");
        assert_eq!(refused(|d| d.estimated_minutes = 0), "estimated_minutes");
        assert_eq!(refused(|d| d.required_percent = 101), "required_percent");
    }

    #[test]
    fn a_form_s_line_ends_become_plain_ones() {
        let mut draft = Draft::new(" 养\u{7}蜂 ", "zh-Hans-CN").unwrap();
        assert_eq!(draft.title, "养蜂");
        draft.description = "one\r\n\r\ntwo\r\n".into();
        assert_eq!(draft.checked().unwrap().description, "one\n\ntwo");
    }
}
