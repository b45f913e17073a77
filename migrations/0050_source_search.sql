-- The indexes by which sources are searched, as consumers and targets are.
create index sources_by_beginning on sources (lower(name) collate "C");
create index sources_by_word on sources using gin (to_tsvector('simple', name));
