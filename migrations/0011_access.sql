-- Who may use the API: keys, sessions of the console, one-time sign-in links, answers to repeat.

-- The key of the configuration is in no row. A key is 256 random bits, so its plain hash tells nothing.
create table api_keys (
  id           uuid        primary key,
  name         text        not null,
  scopes       text[]      not null check (scopes <@ '{ingest,read,manage}' and scopes <> '{}'),
  hash         bytea       not null unique,        -- SHA-256 of the key
  last4        text        not null,               -- for people
  created_at   timestamptz not null default now(),
  created_by   text        not null,
  expires_at   timestamptz,
  last_used_at timestamptz,                        -- written at most once a minute
  revoked_at   timestamptz
);
create index api_keys_newest on api_keys (created_at desc, id desc);

-- Both belong to a key: one of api_keys, or the configuration's, by its fingerprint.
create table sessions (
  hash       bytea       primary key,              -- SHA-256 of what the cookie holds
  api_key_id uuid        references api_keys,
  bootstrap  bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  check ((api_key_id is null) <> (bootstrap is null))
);
create index sessions_expiry on sessions (expires_at);

create table signin_tokens (
  hash       bytea       primary key,
  api_key_id uuid        references api_keys,
  bootstrap  bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  check ((api_key_id is null) <> (bootstrap is null))
);
create index signin_tokens_expiry on signin_tokens (expires_at);

-- What a request with an Idempotency-Key was answered.
create table idempotency_keys (
  caller     text        not null,                 -- id of its API key, or 'bootstrap'
  key        text        not null,
  method     text        not null,
  path       text        not null,
  request    bytea       not null,                 -- SHA-256 of path, query and body
  state      text        not null check (state in ('running', 'done')),
  run        uuid        not null,                 -- whoever works on it; others may not finish it
  taken_at   timestamptz not null default now(),
  status     smallint,
  answer     text,                                 -- sealed: headers and body
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (caller, key),
  check ((state = 'done') = (answer is not null))
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
