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
create index upload_by_account on upload (account_id);
create index upload_subject on upload (subject_id);

-- Counts what an account ever began; its row is locked while its open uploads are counted.
create table upload_account (
    account_id text primary key references account (id),
    uploads bigint not null
);

-- One object of an upload. The row is there before the object, so that an object whose writer died
-- is found and removed; in order of offset, the stored ones are the file.
create table upload_part (
    object_key text primary key,
    upload_id text not null references upload (id),
    offset_bytes bigint not null,
    length_bytes bigint not null,
    -- Set by the update that moves the upload's offset over the part.
    stored_at bigint
);
create index upload_part_upload on upload_part (upload_id, offset_bytes);

create table job (
    id text primary key,
    -- prepare
    kind text not null,
    -- The upload to prepare.
    upload_id text references upload (id),
    -- The lesson that shows the result.
    lesson_id text references lesson (id),
    -- queued, running, done, refused (the input is bad), failed (gave up after several faults) or
    -- replaced (a later file for the same lesson)
    status text not null,
    -- Lower goes first.
    priority bigint not null,
    attempts bigint not null,
    -- Not tried again before this moment, after a fault.
    not_before bigint not null,
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
create index job_lesson on job (lesson_id, created_at);
create index job_upload on job (upload_id);

-- What an attempt is about to store below media/{id}/. Written first, so that the objects of an
-- attempt that died are found and removed.
create table prepared (
    -- The id of the timeline, if it becomes one.
    id text primary key,
    job_id text not null references job (id),
    attempt bigint not null,
    -- Names of the files, one a line.
    files text not null,
    created_at bigint not null,
    -- Set when a timeline shows them.
    adopted_at bigint
);
create index prepared_job on prepared (job_id);

-- A timeline; what a closed one consists of stands in its timeline.json object.
create table timeline (
    id text primary key,
    -- Absent for a live class.
    job_id text unique references job (id),
    lesson_id text not null references lesson (id),
    -- 0 while it grows.
    duration_ms bigint not null,
    -- Objects live below this prefix.
    object_prefix text not null,
    total_bytes bigint not null,
    created_at bigint not null
);
create index timeline_lesson on timeline (lesson_id);
