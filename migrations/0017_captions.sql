-- Captions that teachers give a recording, beside those that it brought itself.

-- One file, turned into WebVTT: the object media/{timeline_id}/given/{id}.vtt. The row is there before the
-- object, so that the object of a request that died is found and removed.
create table caption (
    id text primary key,
    -- Its times are those of this recording: another one of the same lesson begins without.
    timeline_id text not null references timeline (id),
    -- BCP 47; of each language, the one that was stored last is shown.
    language text not null,
    bytes bigint not null,
    -- SHA-256 of the object: the same file, sent again, changes nothing.
    digest text not null,
    account_id text not null references account (id),
    created_at bigint not null,
    -- Set when the object is stored; from then on it is shown.
    stored_at bigint,
    -- Replaced or taken away; those who watch with it keep it for a while.
    removed_at bigint
);
create index caption_timeline on caption (timeline_id);
