import { Client } from 'pg';

/** Any fixed number of an advisory lock. */
const LOCK = 7_300_001;

/** Has whatever appends the record with this id wait, until it is disposed of; others go on. */
export async function holdRecord(
  databaseUrl: string,
  upstreamId: string,
): Promise<AsyncDisposable> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`select pg_advisory_lock(${LOCK})`);
  await client.query(`
    create function held() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(${LOCK}); return new; end $$;
    create trigger held before insert on records
      for each row when (new.upstream_id = '${upstreamId}') execute function held()`);
  return { [Symbol.asyncDispose]: () => client.end() }; // the lock is that of its session
}
