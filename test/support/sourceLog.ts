import { setImmediate as turn } from 'node:timers/promises';

import { followLog, type FollowOptions } from '../../src/sources/postgres/followLog.ts';
import type { Place } from '../../src/sources/postgres/groupCutter.ts';
import type { LogEnding } from '../../src/sources/postgres/logEnding.ts';
import { parseLsn, type Lsn } from '../../src/sources/postgres/lsn.ts';
import type { LogCopy } from './logCopy.ts';
import { dropSlots } from './slots.ts';
import { configOf, type SourcePostgres, type SourceSession } from './sourcePostgres.ts';

export type Store = FollowOptions['store'];

/** Before everything in a log. */
export const START: Place = { lsn: 0n, within: null };

/** A database of its own, with a slot `s` and a publication whose name has to be quoted. */
export interface SourceLog extends AsyncDisposable {
  url: string;
  session: SourceSession;
  /** Aborted at the end of the test; what follows the log uses it. */
  stopping: AbortController;
  /** Runs statements, then creates the publication of the tables and the slot. */
  prepare(tables: string, ...statements: string[]): Promise<void>;
  follow(from: Place, store: Store, more?: Partial<FollowOptions>): Promise<LogEnding>;
  /** Writes a message into the log. */
  mark(content: string): Promise<void>;
  /** Columns of the slot, as texts. */
  slot(columns: string): Promise<(string | null)[]>;
  /** How far the server may forget the log. */
  confirmed(): Promise<Lsn>;
  currentLsn(): Promise<Lsn>;
}

/** Stores into a copy, after other work had its turn. */
export function into(copy: LogCopy): Store {
  return async (group) => {
    await turn();
    copy.store(group);
  };
}

export async function openSourceLog(postgres: SourcePostgres): Promise<SourceLog> {
  const url = await postgres.createDatabase();
  const session = await postgres.connect(url);
  const stopping = new AbortController();
  let begin: Place = START; // of the slot

  async function slot(columns: string): Promise<(string | null)[]> {
    const [row] = await session.rows(
      `select ${columns} from pg_replication_slots where slot_name = 's'`,
    );
    return row ?? [];
  }

  async function confirmed(): Promise<Lsn> {
    return parseLsn((await slot('confirmed_flush_lsn'))[0] ?? '');
  }

  async function dispose(): Promise<void> {
    stopping.abort();
    await dropSlots(session); // a test that has failed may leave one with a group that is never stored
    await session[Symbol.asyncDispose]();
  }

  return {
    url,
    session,
    stopping,
    prepare: async (tables, ...statements) => {
      await session.run(
        ...statements,
        `create publication "odd p'" for table ${tables}`,
        `select pg_create_logical_replication_slot('s', 'pgoutput')`,
      );
      begin = { lsn: await confirmed(), within: null };
    },
    follow: (from, store, more = {}) =>
      followLog({
        config: configOf(url),
        slot: 's',
        publication: "odd p'",
        from: from.lsn === START.lsn ? begin : from,
        keyOf: (_, table) => (table === 'pair' ? ['a', 'b'] : ['id']),
        prefix: 'ours',
        maxRows: 500,
        maxBytes: 4_000_000,
        store,
        signal: stopping.signal,
        ...more,
      }),
    mark: (content) => session.run(`select pg_logical_emit_message(false, 'ours', '${content}')`),
    slot,
    confirmed,
    currentLsn: async () => {
      const [[text] = []] = await session.rows('select pg_current_wal_lsn()');
      return parseLsn(text ?? '');
    },
    [Symbol.asyncDispose]: dispose,
  };
}
