-- Slides whose pictures are being stored. The row is there before the objects, and gone when the deck is one of
-- the class's; what is left of an upload that was cut off is found by it and removed.
create table live_deck_begun (
    id text primary key,
    class_id text not null references live_class (id),
    pages bigint not null,
    begun_at bigint not null
);
