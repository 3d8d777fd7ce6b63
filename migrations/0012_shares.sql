-- What several nodes make of one recording together.

-- What is made of the file of a running job, for others that help; gone when the job has ended.
create table job_plan (
    job_id text primary key references job (id),
    -- JSON, as the transcoder wrote it.
    plan text not null,
    created_at bigint not null
);

-- A stretch of the recording that another node may make. The job's own worker goes from the front and
-- needs none; helpers take the last ones first, until they meet.
create table job_share (
    job_id text not null references job (id),
    -- From 0, in the order of time.
    number bigint not null,
    from_ms bigint not null,
    -- Absent: to the end.
    until_ms bigint,
    attempts bigint not null,
    -- Who makes it and until when that holds without renewal.
    lease_owner text,
    lease_until bigint,
    -- Made, or reached by the job's own worker before anybody took it.
    ended_at bigint,
    primary key (job_id, number)
);

-- Finished segments that a helper hands over, below work/{job_id}/{id}/. The row is there before the
-- objects, so that those of a helper that died are found and removed.
create table job_parcel (
    id text primary key,
    job_id text not null references job (id),
    -- What the transcoder says of each segment, one JSON a line.
    records text not null,
    created_at bigint not null,
    -- Set when all objects are there and the helper still had its lease.
    stored_at bigint
);
create index job_parcel_job on job_parcel (job_id);
