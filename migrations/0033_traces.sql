-- What was sent in an attempt, what came back, and how long each step took: of failures and of some successes.
alter table attempts add column trace jsonb;
