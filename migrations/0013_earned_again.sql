-- A course whose certificate was revoked may be completed again: of an enrolment one credential at most is
-- valid, and those that were revoked stay. A unique column cannot be changed in both engines, so the table is
-- written anew, and with it those that refer to it. Their triggers come back at the end of every migration.

create table kept_credential as select * from credential;
create table kept_measure as select * from measure;
create table kept_measure_member as select * from measure_member;
create table kept_measure_event as select * from measure_event;
drop table measure_event;
drop table measure_member;
drop table measure;
drop table credential;

create table credential (
    id text primary key,
    enrolment_id text not null references enrolment (id),
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
create unique index credential_valid on credential (enrolment_id) where revoked_at is null;
create index credential_enrolment on credential (enrolment_id);

create table measure (
    id text primary key,
    plan_id text not null references support_plan (id),
    -- vocational_training, schooling_support, employment, industry, micro_credit, e_commerce,
    -- relocation, health, infrastructure or other
    kind text not null,
    title text not null,
    officer_id text not null references account (id),
    -- Of a training measure.
    course_id text references course (id),
    -- any, all or named
    beneficiaries text not null,
    -- ISO 8601 date
    due_on text not null,
    -- Promised allowance in minor units, with its ISO 4217 code.
    allowance_minor bigint not null,
    currency text not null,
    -- planned, under_way, fulfilled, verified, returned or cancelled
    status text not null,
    fulfilled_at bigint,
    -- The credential that fulfilled it.
    credential_id text references credential (id),
    created_by text not null references account (id),
    created_at bigint not null
);
create index measure_plan on measure (plan_id);
create index measure_course on measure (course_id);

create table measure_member (
    measure_id text not null references measure (id),
    member_id text not null references member (id),
    -- The credential with which this member did his or her part.
    credential_id text references credential (id),
    fulfilled_at bigint,
    primary key (measure_id, member_id)
);
create index measure_member_member on measure_member (member_id);

-- Append-only history of a measure.
create table measure_event (
    id text primary key,
    measure_id text not null references measure (id),
    -- created, enrolled, fulfilled, verified, returned, reopened, cancelled
    kind text not null,
    account_id text references account (id),
    credential_id text references credential (id),
    reason text,
    recorded_at bigint not null
);
create index measure_event_measure on measure_event (measure_id);

insert into credential (id, enrolment_id, account_id, course_id, learner_name, course_title, issuer_name,
    isced_level, isced_field, estimated_minutes, evidence, issued_at, revoked_at, revoked_by, revoked_reason)
select id, enrolment_id, account_id, course_id, learner_name, course_title, issuer_name,
    isced_level, isced_field, estimated_minutes, evidence, issued_at, revoked_at, revoked_by, revoked_reason
from kept_credential;
insert into measure (id, plan_id, kind, title, officer_id, course_id, beneficiaries, due_on, allowance_minor,
    currency, status, fulfilled_at, credential_id, created_by, created_at)
select id, plan_id, kind, title, officer_id, course_id, beneficiaries, due_on, allowance_minor,
    currency, status, fulfilled_at, credential_id, created_by, created_at
from kept_measure;
insert into measure_member (measure_id, member_id, credential_id, fulfilled_at)
select measure_id, member_id, credential_id, fulfilled_at from kept_measure_member;
insert into measure_event (id, measure_id, kind, account_id, credential_id, reason, recorded_at)
select id, measure_id, kind, account_id, credential_id, reason, recorded_at from kept_measure_event;
drop table kept_credential;
drop table kept_measure;
drop table kept_measure_member;
drop table kept_measure_event;

-- What was done or played before this moment counts for nothing: a certificate that rested on it was revoked.
alter table enrolment add column counts_from bigint not null default 0;

-- Append-only: the lessons that were complete when the certificate was revoked, and are not any more.
create table revoked_completion (
    credential_id text not null references credential (id),
    account_id text not null references account (id),
    lesson_id text not null references lesson (id),
    version_id text not null references course_version (id),
    watched_percent bigint not null,
    completed_at bigint not null,
    primary key (credential_id, lesson_id)
);

-- Certificates that were revoked before.
insert into revoked_completion (credential_id, account_id, lesson_id, version_id, watched_percent, completed_at)
select credential.id, done.account_id, done.lesson_id, done.version_id, done.watched_percent, done.completed_at
from credential join lesson on lesson.course_id = credential.course_id
join lesson_completion done on done.lesson_id = lesson.id and done.account_id = credential.account_id
where credential.revoked_at is not null;
delete from lesson_completion where exists (select 1 from revoked_completion kept
    where kept.account_id = lesson_completion.account_id and kept.lesson_id = lesson_completion.lesson_id);
update enrolment set completed_at = null,
    counts_from = (select max(revoked_at) from credential where credential.enrolment_id = enrolment.id),
    version_id = coalesce((select published_version_id from course where course.id = enrolment.course_id),
        version_id)
where exists (select 1 from credential where credential.enrolment_id = enrolment.id
    and credential.revoked_at is not null);
