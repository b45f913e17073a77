-- "Which dead letters were last answered with this status?" 'none': those that got no answer. By code alone a few of
-- them would be looked for among all that failed in the same class, such as HTTP_4XX.
create index dead_letters_by_status
  on dead_letters (consumer_id, (coalesce(last_failure ->> 'status', 'none')), died_at desc, id desc);
