-- Live classes: when they are, who is in them, and everything that happened.

-- Who may watch a timeline beside those who follow a version that shows it. While the timeline grows,
-- its row says whether watching counts; once it is closed, enrolment alone does.
create table timeline_viewer (
    timeline_id text not null references timeline (id),
    account_id text not null references account (id),
    admitted_at bigint not null,
    -- Absent for guests and observers.
    counts_since bigint,
    barred_at bigint,
    primary key (timeline_id, account_id)
);

create table live_class (
    id text primary key,
    course_id text not null references course (id),
    -- The lesson that the class is; made with it.
    lesson_id text not null unique references lesson (id),
    timeline_id text not null unique references timeline (id),
    -- Classes that were scheduled together.
    series_id text,
    title text not null,
    starts_at bigint not null,
    -- IANA name; the day and the hour of the class are meant there.
    time_zone text not null,
    planned_minutes bigint not null,
    -- Minutes before the start when learners are reminded; absent: never.
    remind_minutes bigint,
    reminded_at bigint,
    -- Lets people without an account in; absent where the teacher allows none.
    code text unique,
    -- Set: whoever comes by the code waits until a leader lets him or her in.
    lobby_since bigint,
    created_by text not null references account (id),
    created_at bigint not null,
    -- Time 0 of the timeline.
    opened_at bigint,
    -- A leader ended it; its media is being closed.
    ending_at bigint,
    ended_at bigint,
    -- Everybody's attendance was looked at.
    settled_at bigint,
    cancelled_at bigint
);
create index live_class_course on live_class (course_id, starts_at);
create index live_class_starts on live_class (starts_at);

create table live_participant (
    id text primary key,
    class_id text not null references live_class (id),
    account_id text not null references account (id),
    -- observer, learner, co_host or host
    role text not null,
    -- Set for who came by the class code alone.
    guest_since bigint,
    joined_at bigint not null,
    -- Absent while he or she waits.
    admitted_at bigint,
    removed_at bigint,
    unique (class_id, account_id)
);
create index live_participant_account on live_participant (account_id);

-- Append-only: what happened in the class, in order, without gaps. The room is built from these alone.
create table live_event (
    class_id text not null references live_class (id),
    sequence bigint not null,
    -- On the class's timeline.
    at_ms bigint not null,
    -- Made by the client, so that the same act again changes nothing; on the first event of an act.
    act_id text,
    -- What happened, as JSON.
    body text not null,
    recorded_at bigint not null,
    primary key (class_id, sequence),
    unique (class_id, act_id)
);

create table live_deck (
    id text primary key,
    class_id text not null references live_class (id),
    name text not null,
    pages bigint not null,
    total_bytes bigint not null,
    created_by text not null references account (id),
    created_at bigint not null
);
create index live_deck_class on live_deck (class_id);

-- A secret with which an encoder publishes into a class.
create table live_key (
    id text primary key,
    class_id text not null references live_class (id),
    -- SHA-256 of the secret, hexadecimal; the secret itself is never kept.
    token_hash text not null unique,
    created_by text not null references account (id),
    created_at bigint not null,
    revoked_at bigint
);
create index live_key_class on live_key (class_id);

-- Attendance of a class is what was watched of its timeline.
create index watch_interval_timeline on watch_interval (timeline_id);
