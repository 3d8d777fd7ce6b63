-- What of a recorded class is shown: the teacher leaves out its beginning and its end. Media, events and
-- evidence stay, with the times that they have; both columns can be set back.

-- Begin of a segment.
alter table timeline add column shown_from_ms bigint not null default 0;
-- End of a segment; absent: to the end.
alter table timeline add column shown_until_ms bigint;
