-- Set when a leader of the class gave somebody the part; absent: it is what he or she has on the course.
alter table live_participant add column role_given_at bigint;
