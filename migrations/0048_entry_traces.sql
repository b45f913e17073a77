-- The trace in which an entry was appended: the trace id (16 bytes), the span id (8) and the flags (1) of its
-- traceparent. Null, which takes no space, for an entry without one. A parked entry keeps it beside its body, as text.
alter table events       add column traceparent bytea;
alter table records      add column traceparent bytea;
alter table parked       add column traceparent text;
alter table dead_letters add column traceparent text;
