-- What a live class has recorded so far; a closed class is an ordinary timeline.

create table live_recording (
    timeline_id text primary key,
    -- Time 0 of the timeline.
    began_at bigint not null,
    -- The renditions as JSON, in the order of their indexes.
    ladder text not null,
    -- Its description stands among the objects.
    closed_at bigint
);

-- Append-only: one row for each segment whose objects are stored.
create table live_segment (
    timeline_id text not null references live_recording (timeline_id),
    sequence bigint not null,
    -- The segment of each rendition as JSON, in the order of their indexes.
    segments text not null,
    recorded_at bigint not null,
    primary key (timeline_id, sequence)
);

-- Append-only: pictures for the index.
create table live_still (
    timeline_id text not null references live_recording (timeline_id),
    at_ms bigint not null,
    file text not null,
    bytes bigint not null,
    primary key (timeline_id, at_ms)
);
