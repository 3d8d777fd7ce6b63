-- Courses, their versions, and who teaches them.

create table course (
    id text primary key,
    -- Where the course is offered; teachers of this area or above may be added.
    area_id text not null references area (id),
    title text not null,
    description text not null,
    -- BCP 47
    language text not null,
    -- ISCED 2011 level, 0 to 8
    isced_level bigint not null,
    -- ISCED-F 2013 detailed field, four digits
    isced_field text not null,
    estimated_minutes bigint not null,
    -- Object key
    cover_key text,
    -- Percent of a lesson that must be watched, 1 to 100
    required_percent bigint not null,
    created_by text not null references account (id),
    created_at bigint not null,
    changed_at bigint not null,
    -- Counts every change of the draft; a form carries it so that two editors cannot overwrite each other.
    revision bigint not null,
    published_version_id text,
    archived_at bigint
);

create index course_area on course (area_id);

create table course_teacher (
    course_id text not null references course (id),
    account_id text not null references account (id),
    added_at bigint not null,
    removed_at bigint,
    primary key (course_id, account_id)
);
create index course_teacher_account on course_teacher (account_id);

create table module (
    id text primary key,
    course_id text not null references course (id),
    title text not null,
    position bigint not null,
    created_at bigint not null,
    removed_at bigint
);
create index module_course on module (course_id);

create table lesson (
    id text primary key,
    course_id text not null references course (id),
    module_id text not null references module (id),
    title text not null,
    -- video, text, file, quiz or live
    kind text not null,
    -- Text of a text lesson, in Markdown; empty otherwise.
    body text not null,
    position bigint not null,
    -- The prepared media that the draft shows.
    timeline_id text,
    created_at bigint not null,
    removed_at bigint
);
create index lesson_course on lesson (course_id);

-- A published version is a frozen list; nothing in it changes afterwards.
create table course_version (
    id text primary key,
    course_id text not null references course (id),
    number bigint not null,
    title text not null,
    description text not null,
    language text not null,
    isced_level bigint not null,
    isced_field text not null,
    estimated_minutes bigint not null,
    cover_key text,
    required_percent bigint not null,
    published_at bigint not null,
    published_by text not null references account (id),
    -- Revision of the draft that was frozen.
    draft_revision bigint not null default 0,
    unique (course_id, number)
);

create table version_lesson (
    version_id text not null references course_version (id),
    lesson_id text not null references lesson (id),
    module_title text not null,
    module_position bigint not null,
    title text not null,
    kind text not null,
    body text not null,
    position bigint not null,
    timeline_id text,
    primary key (version_id, lesson_id)
);
