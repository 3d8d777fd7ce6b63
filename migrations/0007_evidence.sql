-- Which of an account's wall clock is taken is asked with every report of playback.
create index watch_interval_wall on watch_interval (account_id, wall_until);
