//! Typed page models: one struct for each template, plain fields, no HTML.
//!
//! Times are epoch milliseconds, lengths milliseconds, sizes bytes, ids and codes text. Enumerations
//! travel as the words that the database keeps; their names in the reader's language are text keys.
//!
//! # Forms
//!
//! A form that makes something carries the id that the thing gets, as `id` or `card_id`: sent twice, it makes
//! one.
//!
//! | method and path | fields |
//! |---|---|
//! | `POST /sign-in` | `name`, `password`, `next` |
//! | `POST /sign-out`, `POST /sign-out-everywhere` | |
//! | `POST /language` | `language`, `next` |
//! | `POST /account/password` | `old`, `password` |
//! | `POST /card/{token}` | |
//! | `POST /courses/{course_id}/enrol` | |
//! | `POST /teach/courses` | `id`, `title`, `area_id`, `language` |
//! | `POST /teach/courses/{course_id}` | `revision`, `title`, `description`, `language`, `isced_level`, `isced_field`, `estimated_minutes`, `required_percent` |
//! | `POST /teach/courses/{course_id}/cover` | multipart: `cover` |
//! | `POST /teach/courses/{course_id}/publish` | `revision` |
//! | `POST /teach/courses/{course_id}/modules` | `id`, `title` |
//! | `POST /teach/courses/{course_id}/modules/{module_id}` | `title`, `action`: `rename`, `up`, `down`, `remove` |
//! | `POST /teach/courses/{course_id}/lessons` | `id`, `module_id`, `title`, `kind` |
//! | `POST /teach/courses/{course_id}/lessons/{lesson_id}` | `title`, `body`, `action`: `save`, `up`, `down`, `remove` |
//! | `POST /teach/courses/{course_id}/lessons/{lesson_id}/file` | multipart: `file` |
//! | `POST /teach/courses/{course_id}/lessons/{lesson_id}/again` | |
//! | `POST /teach/courses/{course_id}/learners` | multipart: `cohort_id`, `lines` (CSV), `file` (CSV) |
//! | `POST /teach/courses/{course_id}/cohorts` | `id`, `name` |
//! | `POST /teach/courses/{course_id}/cards` | `account_id`, `card_id`, `single_use` |
//! | `POST /teach/courses/{course_id}/live` | `title`, `module_id`, `date`, `time`, `time_zone`, `minutes`, `repeats`: `none`, `daily`, `weekly`, `until`, `times`, `remind_minutes`, `guests`, `lobby` |
//! | `POST /teach/courses/{course_id}/live/{class_id}` | `action`: `change` (`title`, `date`, `time`, `minutes`, `remind_minutes`, `guests`, `lobby`), `cancel`, `cancel_following` |
//! | `POST /join` | `code`, `name` |
//! | `POST /live/{class_id}/open`, `POST /live/{class_id}/end` | |
//! | `POST /live/{class_id}/say` | `text` |
//! | `POST /live/{class_id}/answer` | `poll`, `option` |
//! | `POST /live/{class_id}/admit` | `who` |
//! | `POST /live/{class_id}/trim` | `from`, `until`: `m:ss` or empty, `action`: `trim`, `whole` |
//! | `POST /live/{class_id}/decks` | multipart: `file`, a PDF or up to 100 pictures |
//! | `POST /live/{class_id}/keys`, `POST /live/{class_id}/keys/{key_id}/revoke` | |
//! | `POST /teach/courses/{course_id}/credentials/{credential_id}/revoke` | `reason` |
//! | `POST /support/households/{household_id}/cards` | `account_id`, `card_id`, `single_use` |
//! | `POST /support/measures/{measure_id}/verify` | |
//! | `POST /support/measures/{measure_id}/return` | `reason` |
//! | `POST /admin/areas` | `parent_id`, `code`, `level`, `name_zh`, `name_en` |
//! | `POST /admin/accounts` | `name`, `sign_in_name`, `phone`, `password`, `area_id` |
//! | `POST /admin/accounts/{account_id}` | `action`: `password`, `close`, `open` |
//! | `POST /admin/accounts/search` | `name` |
//! | `POST /admin/grants` | `account_id`, `role`, `area_id` |
//! | `POST /admin/accounts/{account_id}/cards` | `card_id`, `single_use` |
//! | `POST /admin/grants/{grant_id}/revoke` | |

pub mod admin;
pub mod learning;
pub mod live;
pub mod people;
pub mod problem;
pub mod support;
pub mod teaching;

/// Implements [`crate::Page`] for page models.
macro_rules! pages {
    ($($name:ty => $template:literal;)+) => {$(
        impl $crate::Page for $name {
            const TEMPLATE: &'static str = $template;
        }
    )+};
}
pub(crate) use pages;
