//! The templates, embedded.

macro_rules! templates {
    ($($name:literal,)+) => {
        &[$(($name, include_str!(concat!("../templates/", $name, ".hbs"))),)+]
    };
}

/// Name and source of every template.
pub(crate) const ALL: &[(&str, &str)] = templates![
    "account",
    "admin_accounts",
    "admin_areas",
    "card_landing",
    "card_sheet",
    "course",
    "course_card",
    "course_editor",
    "course_list",
    "credential",
    "household",
    "households",
    "layout",
    "learners",
    "lesson",
    "lesson_editor",
    "media_state",
    "my_learning",
    "my_plan",
    "plan",
    "player",
    "problem",
    "sign_in",
    "teaching",
    "to_verify",
    "verification",
];
