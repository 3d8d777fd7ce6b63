-- A long recording may be watched before all of it is prepared.

-- When the lesson began to show it; absent once the timeline is whole. `duration_ms` is meanwhile what the
-- recording announces, and `job_id` becomes absent when the job ends without a result.
alter table timeline add column unfinished_since bigint;
create index timeline_unfinished on timeline (unfinished_since) where unfinished_since is not null;
