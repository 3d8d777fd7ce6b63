-- Append-only log of who read or changed what, each row chained by hash to the one before.

create table audit (
    -- 1, 2, 3 ... without gaps
    number bigint primary key,
    recorded_at bigint not null,
    -- Absent for what the system does by itself.
    account_id text,
    action text not null,
    subject_kind text not null,
    subject_id text not null,
    reason text,
    request_id text,
    previous_hash text not null,
    hash text not null
);
create index audit_subject on audit (subject_kind, subject_id);

-- The end of the chain; updating it serialises writers.
create table audit_head (
    id bigint primary key,
    number bigint not null,
    hash text not null
);
insert into audit_head (id, number, hash) values (1, 0, '');
