-- In which order helpers take the stretches of a recording: from the back, until they meet the job's own worker, or
-- what comes next, where that worker need not decode what others made.

alter table job_share add column turn bigint not null default 0;
