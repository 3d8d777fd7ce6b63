-- Households, members, helpers, support plans and their measures.

create table household (
    id text primary key,
    code text not null unique,
    area_id text not null references area (id),
    address text not null,
    -- registered, monitored, lifted or relapsed
    status text not null,
    registered_at bigint not null,
    registered_by text not null references account (id)
);
create index household_area on household (area_id);

create table member (
    id text primary key,
    name text not null,
    -- ISO 5218: 0 unknown, 1 male, 2 female, 9 not applicable
    sex bigint not null,
    -- ISO 8601 date; may be absent
    birth_date text,
    -- ISCED 2011 level
    schooling_level bigint,
    account_id text unique references account (id),
    created_at bigint not null
);

-- Who belonged to which household from when until when; a split or move ends one row and begins another.
create table membership (
    id text primary key,
    household_id text not null references household (id),
    member_id text not null references member (id),
    -- GB/T 4761 code of the relationship to the head; 01 to 02 is the head
    relationship text not null,
    since bigint not null,
    until bigint
);
create index membership_household on membership (household_id);
create index membership_member on membership (member_id);
create unique index membership_live on membership (member_id) where until is null;

-- Exactly one helper at a time, with history.
create table household_helper (
    id text primary key,
    household_id text not null references household (id),
    account_id text not null references account (id),
    assigned_by text references account (id),
    since bigint not null,
    until bigint
);
create index household_helper_account on household_helper (account_id);
create unique index household_helper_live on household_helper (household_id) where until is null;

create table support_plan (
    id text primary key,
    household_id text not null references household (id),
    created_by text not null references account (id),
    created_at bigint not null,
    closed_at bigint
);
create unique index support_plan_live on support_plan (household_id) where closed_at is null;

-- A change makes a new version; nothing is overwritten.
create table plan_version (
    id text primary key,
    plan_id text not null references support_plan (id),
    number bigint not null,
    goals text not null,
    -- ISO 8601 dates
    starts_on text not null,
    ends_on text not null,
    -- drafted, agreed, active or closed
    status text not null,
    -- Who in the household consented, and when.
    consented_by text references member (id),
    consented_at bigint,
    written_by text not null references account (id),
    written_at bigint not null,
    unique (plan_id, number)
);

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

-- Something a person should see: a measure to verify, a returned measure.
create table notice (
    id text primary key,
    account_id text not null references account (id),
    kind text not null,
    subject_id text not null,
    created_at bigint not null,
    read_at bigint,
    unique (account_id, kind, subject_id, created_at)
);
create index notice_account on notice (account_id);
