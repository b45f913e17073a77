import { z } from 'zod';

import { SyncId, text, Timestamp, Uuid } from './fields.ts';

/** `schema.table`; a name that has a dot of its own is quoted, as in SQL. */
const tableName = text(255)
  .regex(
    /^(?:"(?:[^"]|"")+"|[^".]+)\.(?:"(?:[^"]|"")+"|[^".]+)$/u,
    'must be schema.table, for example public.users',
  )
  .meta({ example: 'public.users' });

const tables = z
  .array(tableName)
  .min(1)
  .max(500)
  .refine((list) => new Set(list).size === list.length, 'must not name a table twice')
  .meta({ description: 'The tables to follow, each with its schema', example: ['public.users'] });

/** A connection URI of Postgres; it is judged in more detail by what connects. */
const databaseUrl = text(4096).refine(
  isDatabaseUrl,
  'must be postgres://user:password@host:port/database; a character of the password that has a meaning in URLs is written as in %40 for @',
);

function isDatabaseUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || !/^postgres(?:ql)?:$/u.test(url.protocol)) return false;
  return url.hostname !== '' && url.pathname.length > 1 && url.hash === '';
}

const sourceFields = {
  name: text(255).meta({ example: 'Shop database' }),
  url: databaseUrl.meta({
    description:
      'postgres://user:password@host:port/database. `sslmode` means what it means for psql: without it TLS is used if the server offers it; `require` insists on it, and `verify-full` also on a certificate for that host. Answers show the password as ••••; sent back like this, it stays as it is stored',
    example: 'postgres://millrace:secret@db.example.com:5432/shop?sslmode=verify-full',
  }),
  ca: z.string().min(1).max(65536).nullable().meta({
    description:
      'PEM certificates to trust instead of the public certificate authorities; null to trust the public ones',
  }),
  tables,
  expect_within: z.int().min(60).max(2_592_000).nullable().meta({
    description:
      'In seconds: after so long without a change in any of its tables a mail is sent; null for no such mail',
    example: 86_400,
  }),
};

export const SourceInput = z
  .strictObject({
    ...sourceFields,
    kind: z.literal('postgres'),
    ca: sourceFields.ca.default(null),
    expect_within: sourceFields.expect_within.default(null),
    sync_id: SyncId.optional().meta({
      description: 'The sync of its records; the id of the source unless given',
    }),
  })
  .meta({ id: 'SourceInput' });
export type SourceInput = z.infer<typeof SourceInput>;

export const SourcePatch = z.strictObject(sourceFields).partial().meta({ id: 'SourcePatch' });
export type SourcePatch = z.infer<typeof SourcePatch>;

/** What is tested before a source exists: without tables, only the database is. */
export const SourceDraft = z
  .strictObject({
    kind: z.literal('postgres'),
    url: sourceFields.url,
    ca: sourceFields.ca.default(null),
    tables: z.array(tableName).max(500).default([]),
  })
  .meta({ id: 'SourceDraft' });
export type SourceDraft = z.infer<typeof SourceDraft>;

export const SourceStatus = z.enum(['active', 'paused', 'failed', 'deleting']).meta({
  id: 'SourceStatus',
  description:
    '`failed`: it does not go on until something is changed, as `status_reason` says; `deleting`: its slot and its publication are still to be dropped',
});
export type SourceStatus = z.infer<typeof SourceStatus>;

export const SourceTableState = z.enum(['waiting', 'reading', 'asking', 'following', 'gone']).meta({
  id: 'SourceTableState',
  description:
    '`waiting`: its rows are still to be read; `reading`: they are being read, while its changes are followed; `asking`: reading it anew would delete more than a fifth of its records, and has to be confirmed; `gone`: it is not in the database any more',
});
export type SourceTableState = z.infer<typeof SourceTableState>;

export const SourceTable = z
  .object({
    table: z.string().meta({ example: 'public.users' }),
    collection_id: z.string().meta({ example: 'postgres:public.users' }),
    state: SourceTableState,
    detail: z.string().nullable().meta({ description: 'Why it asks or is gone, in words' }),
    rows: z.int().meta({ description: 'The rows that have been read since reading it began' }),
    changes: z.int().meta({ description: 'The changes that have come in the log' }),
  })
  .meta({ id: 'SourceTable' });
export type SourceTable = z.infer<typeof SourceTable>;

const SLOT = 'millrace_shop_database_0d6f3c1f8a11';

/** A database whose tables are followed. */
export const Source = z
  .object({
    id: Uuid,
    name: z.string().meta({ example: 'Shop database' }),
    kind: z.literal('postgres'),
    url: z.string().meta({
      description: 'With the password masked',
      example: 'postgres://millrace:••••@db.example.com:5432/shop?sslmode=verify-full',
    }),
    ca: z.string().nullable(),
    sync_id: z.string(),
    expect_within: z.int().nullable(),
    slot: z.string().meta({ description: 'The replication slot in its database', example: SLOT }),
    publication: z.string().meta({ description: 'The publication in its database', example: SLOT }),
    status: SourceStatus,
    status_reason: z.string().nullable().meta({ description: 'Why it has failed, in words' }),
    status_since: Timestamp,
    interruption: z.object({ detail: z.string(), since: Timestamp }).nullable().meta({
      description: 'Why an active source can’t go on at the moment; it goes on by itself',
    }),
    lag: z
      .object({
        bytes: z.int().meta({ description: 'How much of its log is not stored yet' }),
        seconds: z
          .number()
          .meta({ description: 'How old the oldest change is that is not stored' }),
        limit_bytes: z.int().nullable().meta({
          description:
            'Its server’s max_slot_wal_keep_size: beyond it the slot is lost; null for none',
        }),
        measured_at: Timestamp,
      })
      .nullable()
      .meta({ description: 'Null until it has been followed' }),
    last_lsn: z.string().nullable().meta({ description: 'Everything up to here is stored' }),
    last_change_at: Timestamp.nullable(),
    problems: z.int().meta({ description: 'The rows that could not be turned into records' }),
    tables: z.array(SourceTable),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Source' });
export type Source = z.infer<typeof Source>;

/** What a source that was deleted without its database has left behind there. */
export const ForgottenSource = z
  .object({
    id: Uuid,
    slot: z.string().meta({ example: SLOT }),
    publication: z.string().meta({ example: SLOT }),
    sql: z.array(z.string()).meta({
      description: 'What drops both; until then the slot keeps the log of its database',
      example: [
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${SLOT}'`,
        `drop publication if exists ${SLOT}`,
      ],
    }),
  })
  .meta({ id: 'ForgottenSource' });
export type ForgottenSource = z.infer<typeof ForgottenSource>;

/** Rows of a table that could not be turned into records, for one reason. */
export const SourceProblem = z
  .object({
    table: z.string(),
    reason: z.string(),
    count: z.int(),
    upstream_id: z.string().nullable().meta({
      description: 'The record of the last one; null where its key could not be read',
    }),
    first_lsn: z.string(),
    last_lsn: z.string(),
    first_at: Timestamp,
    last_at: Timestamp,
  })
  .meta({ id: 'SourceProblem' });
export type SourceProblem = z.infer<typeof SourceProblem>;

/** Something that keeps a database or a table from being followed. */
export const SourceFinding = z
  .object({
    table: z.string().nullable().meta({ description: 'Null: it is about the whole database' }),
    problem: z.string(),
    advice: z.string().meta({ description: 'What to do about it' }),
  })
  .meta({ id: 'SourceFinding' });
export type SourceFinding = z.infer<typeof SourceFinding>;

/** What a test of a database has found; nothing is changed in it. */
export const SourceTest = z
  .object({
    outcome: z.enum(['ok', 'refused', 'unreachable']).meta({
      description: '`refused`: there are findings; `unreachable`: `detail` says why',
    }),
    detail: z.string().nullable(),
    version: z.string().nullable().meta({ description: 'Of Postgres', example: '18.1' }),
    findings: z.array(SourceFinding),
    tables: z
      .array(
        z.object({
          table: z.string(),
          estimated_rows: z.int().nullable(),
          key: z
            .array(z.string())
            .meta({ description: 'The columns by which its records are known' }),
          findings: z
            .array(SourceFinding)
            .meta({ description: 'What keeps it from being followed' }),
        }),
      )
      .meta({ description: 'The tables that the role can see, at most 1,000' }),
  })
  .meta({ id: 'SourceTest' });
export type SourceTest = z.infer<typeof SourceTest>;

/** Reads tables anew, or confirms what reading them anew would delete. */
export const SourceSnapshot = z
  .strictObject({
    tables: tables.optional().meta({ description: 'All of them unless given' }),
    confirm: z.boolean().optional().meta({
      description:
        'Whether reading them anew may delete more than a fifth of their records; for a table that asks, it is not read again',
    }),
  })
  .meta({ id: 'SourceSnapshot' });
export type SourceSnapshot = z.infer<typeof SourceSnapshot>;
