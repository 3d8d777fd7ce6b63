-- Where playback was last. What is watched again brings no new evidence, but it moves the place.
alter table play_session add column reached_ms bigint;
-- When it was reported.
alter table play_session add column reached_at bigint;
