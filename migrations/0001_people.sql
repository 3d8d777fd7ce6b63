-- Accounts, sessions, grants and the administrative tree.
-- One text for SQLite and PostgreSQL: TEXT and BIGINT columns only, times in epoch milliseconds,
-- a nullable time instead of a boolean.

create table area (
    id text primary key,
    -- Code of the national register, for example GB/T 2260.
    code text not null unique,
    parent_id text references area (id),
    -- province, prefecture, county, township or village
    level text not null,
    created_at bigint not null
);

create table area_name (
    area_id text not null references area (id),
    language text not null,
    name text not null,
    primary key (area_id, language)
);

-- Every area with each of its ancestors and itself (depth 0), so that "in my area" is one join.
create table area_closure (
    ancestor_id text not null references area (id),
    descendant_id text not null references area (id),
    depth bigint not null,
    primary key (ancestor_id, descendant_id)
);
create index area_closure_descendant on area_closure (descendant_id);

create table account (
    id text primary key,
    -- Shown to people.
    name text not null,
    -- Lowered sign-in name, unique.
    sign_in_name text not null unique,
    -- Digits with an optional leading plus, unique when present.
    phone text unique,
    -- PHC string; absent for a learner who signs in by card alone.
    password_hash text,
    language text,
    home_area_id text references area (id),
    created_at bigint not null,
    created_by text references account (id),
    -- Made by a class code: a name for a live class, nobody's account.
    guest_since bigint,
    disabled_at bigint
);

create table account_grant (
    id text primary key,
    account_id text not null references account (id),
    -- teacher, helper, area_manager, auditor, administrator
    role text not null,
    area_id text not null references area (id),
    granted_by text references account (id),
    granted_at bigint not null,
    revoked_at bigint
);
create index account_grant_account on account_grant (account_id);

create table session (
    -- SHA-256 of the cookie's token, hexadecimal; the token itself is never kept.
    token_hash text primary key,
    account_id text not null references account (id),
    created_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    -- Short words for "where am I signed in", never an address.
    device text not null
);
create index session_account on session (account_id);

-- Printed QR code for a learner who cannot type.
create table sign_in_card (
    id text primary key,
    token_hash text not null unique,
    account_id text not null references account (id),
    issued_by text not null references account (id),
    issued_at bigint not null,
    expires_at bigint not null,
    -- Present on a card that works once.
    single_use_since bigint,
    used_at bigint,
    revoked_at bigint
);
create index sign_in_card_account on sign_in_card (account_id);

-- Secrets that the installation makes for itself, for example the key that signs delivery receipts.
create table installation_secret (
    name text primary key,
    value text not null,
    created_at bigint not null
);
