-- While a signing secret is rotated the one before signs, too; `ca` is trusted instead of the
-- public authorities.
alter table targets
  add column ca text,
  add column signing_secret_previous text,         -- sealed
  add column previous_expires_at timestamptz,
  add check ((signing_secret_previous is null) = (previous_expires_at is null));
