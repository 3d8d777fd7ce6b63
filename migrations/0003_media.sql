-- Resumable uploads, work for the transcoder, and what it prepared.

create table upload (
    id text primary key,
    account_id text not null references account (id),
    -- lesson_video, course_cover
    purpose text not null,
    -- The lesson or course it belongs to.
    subject_id text not null,
    file_name text not null,
    media_type text not null,
    length_bytes bigint not null,
    -- Bytes that are durable; advanced by one conditional update for each part.
    offset_bytes bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    completed_at bigint,
    -- Terminated by the client, expired or refused: its parts are gone or going.
    terminated_at bigint
);
create index upload_account on upload (account_id);

-- Each durable part is one object; in order of offset they are the file.
create table upload_part (
    upload_id text not null references upload (id),
    offset_bytes bigint not null,
    length_bytes bigint not null,
    object_key text not null,
    primary key (upload_id, offset_bytes)
);

create table job (
    id text primary key,
    -- prepare
    kind text not null,
    -- The upload to prepare.
    upload_id text references upload (id),
    -- The lesson that shows the result.
    lesson_id text references lesson (id),
    -- queued, running, done, refused (the input is bad) or failed (gave up after several faults)
    status text not null,
    -- Lower goes first.
    priority bigint not null,
    attempts bigint not null,
    -- Who works on it and until when that holds without renewal.
    lease_owner text,
    lease_until bigint,
    -- Thousandths done.
    permille bigint not null,
    stage text,
    left_ms bigint,
    -- Machine-readable reason of a refusal, and the sentence for a log.
    reason text,
    sentence text,
    created_at bigint not null,
    started_at bigint,
    ended_at bigint
);
create index job_open on job (status, priority, created_at);
create index job_lesson on job (lesson_id);

-- A closed timeline: everything else about it stands in its timeline.json object.
create table timeline (
    id text primary key,
    job_id text not null unique references job (id),
    lesson_id text not null references lesson (id),
    duration_ms bigint not null,
    -- Objects live below this prefix.
    object_prefix text not null,
    total_bytes bigint not null,
    created_at bigint not null
);
create index timeline_lesson on timeline (lesson_id);
