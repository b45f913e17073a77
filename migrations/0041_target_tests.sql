-- The version of a target that a test of it made, and who tested it, so that a retry names its cause and its author.
alter table targets
  add column tested_version integer,
  add column tested_by      text;
