-- Cohorts, enrolments, watch evidence, completion and credentials.

create table cohort (
    id text primary key,
    course_id text not null references course (id),
    name text not null,
    created_by text not null references account (id),
    created_at bigint not null
);
create index cohort_course on cohort (course_id);

create table enrolment (
    id text primary key,
    course_id text not null references course (id),
    -- The version the learner follows.
    version_id text not null references course_version (id),
    account_id text not null references account (id),
    cohort_id text references cohort (id),
    -- self, teacher, csv or plan
    source text not null,
    enrolled_by text not null references account (id),
    enrolled_at bigint not null,
    completed_at bigint,
    withdrawn_at bigint,
    unique (course_id, account_id)
);
create index enrolment_account on enrolment (account_id);

-- One row for each time a learner opens a timeline; it outlives cuts and restarts of the server.
create table play_session (
    id text primary key,
    account_id text not null references account (id),
    timeline_id text not null references timeline (id),
    lesson_id text not null references lesson (id),
    -- Short words about the device, never an address.
    device text not null,
    started_at bigint not null
);
create index play_session_account on play_session (account_id, lesson_id);

-- Append-only: an interval of the timeline that was really played, as the server accounted for it.
create table watch_interval (
    -- Made by the client, so that a retry is idempotent.
    id text primary key,
    play_session_id text not null references play_session (id),
    account_id text not null references account (id),
    timeline_id text not null references timeline (id),
    lesson_id text not null references lesson (id),
    from_ms bigint not null,
    until_ms bigint not null,
    -- Wall clock of the server that the interval used up; intervals of one account never overlap in it.
    wall_from bigint not null,
    wall_until bigint not null,
    recorded_at bigint not null
);
create index watch_interval_lesson on watch_interval (account_id, lesson_id);

-- The wall clock that an account has used up for credited playback; moved by conditional update only.
create table play_clock (
    account_id text primary key references account (id),
    used_until bigint not null
);

-- Append-only: reports that were not credited, with the reason; they open a review and never decide.
create table evidence_flag (
    id text primary key,
    play_session_id text not null references play_session (id),
    account_id text not null references account (id),
    lesson_id text not null references lesson (id),
    -- not_delivered, faster_than_time, two_at_once, out_of_range
    reason text not null,
    from_ms bigint not null,
    until_ms bigint not null,
    recorded_at bigint not null
);
create index evidence_flag_lesson on evidence_flag (account_id, lesson_id);

create table lesson_completion (
    account_id text not null references account (id),
    lesson_id text not null references lesson (id),
    version_id text not null references course_version (id),
    -- Watched share at the moment of completion, in percent, rounded down.
    watched_percent bigint not null,
    completed_at bigint not null,
    primary key (account_id, lesson_id)
);

create table credential (
    id text primary key,
    enrolment_id text not null unique references enrolment (id),
    account_id text not null references account (id),
    course_id text not null references course (id),
    -- Frozen words, so that the page says the same for ever.
    learner_name text not null,
    course_title text not null,
    issuer_name text not null,
    isced_level bigint not null,
    isced_field text not null,
    estimated_minutes bigint not null,
    -- Frozen evidence as JSON: lessons, watched intervals, flags.
    evidence text not null,
    issued_at bigint not null,
    revoked_at bigint,
    revoked_by text references account (id),
    revoked_reason text
);
