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
    "attendance",
    "card_landing",
    "card_sheet",
    "class",
    "class_board",
    "class_desk",
    "class_keys",
    "class_list",
    "class_player",
    "class_record",
    "class_side",
    "class_words",
    "course",
    "course_card",
    "course_editor",
    "course_list",
    "credential",
    "household",
    "households",
    "join",
    "layout",
    "learners",
    "lesson",
    "lesson_editor",
    "lobby",
    "media_state",
    "my_learning",
    "my_plan",
    "new_password",
    "plan",
    "player",
    "problem",
    "schedule",
    "sign_in",
    "teaching",
    "to_verify",
    "verification",
];
