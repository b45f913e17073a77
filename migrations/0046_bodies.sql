-- What the requests of a consumer carry of an entry: the settings of the mode, as the API takes them.
alter table consumers
  add column body jsonb not null default '{"mode": "full"}',
  add constraint consumers_body_check
    check (body ->> 'mode' in ('full', 'thin', 'fields', 'cloudevents', 'map'));
