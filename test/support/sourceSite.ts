import type { Source } from '../../src/schema/source.ts';
import { openOwnApp, type Answer, type AppSettings, type OwnApp } from './app.ts';
import { openSourcePostgres, type SourcePostgres, type SourceSession } from './sourcePostgres.ts';

/** The API, and somebody's Postgres with tables. */
export interface SourceSite extends AsyncDisposable {
  api: OwnApp;
  postgres: SourcePostgres;
  /** A database with a table `public.users`, `public.orders`, and one without a key, `public.notes`. */
  createShop(): Promise<Shop>;
}

export interface Shop extends AsyncDisposable {
  url: string;
  session: SourceSession;
  /** Everything that following it would create or change in it. */
  state(): Promise<unknown>;
}

/** Opens both. */
export async function openSourceSite(settings: AppSettings = {}): Promise<SourceSite> {
  const postgres = await openSourcePostgres();
  const api = await openOwnApp({}, settings);
  return {
    api,
    postgres,
    createShop: () => createShop(postgres),
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

async function createShop(postgres: SourcePostgres): Promise<Shop> {
  const url = await postgres.createDatabase();
  const session = await postgres.connect(url);
  await session.run(
    'create table users (id int primary key, name text)',
    'create table orders (id int, line int, primary key (id, line))',
    'create table notes (body text)',
    "insert into users select n, 'u' || n from generate_series(1, 100) n",
    'analyze users',
  );
  return {
    url,
    session,
    state: () =>
      session.rows(`
        select 'slot', slot_name::text from pg_replication_slots
        union all select 'publication', pubname::text from pg_publication
        union all select c.relkind::text, c.relname || ' ' || c.relreplident::text || ' ' || c.relfilenode
          from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'i')
        union all select 'rows', count(*)::text from users
        order by 1, 2`),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** Creates a source that is fit. */
export async function createSource(
  { api }: Pick<SourceSite, 'api'>,
  fields: Record<string, unknown>,
): Promise<Source> {
  const answer = await postSource({ api }, fields);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return answer.body as Source;
}

let count = 0;

/** Asks for a source, with a name of its own unless one is given. */
export function postSource(
  { api }: Pick<SourceSite, 'api'>,
  fields: Record<string, unknown>,
): Promise<Answer> {
  count += 1;
  return api.request('POST', '/v1/sources', {
    name: `Shop ${count}`,
    kind: 'postgres',
    tables: ['public.users'],
    ...fields,
  });
}
