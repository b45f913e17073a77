import type { Sql } from '../db/db.ts';
import { leaveLeader } from '../progress/cursors.ts';
import type { CommandAnswer, CommandRequest } from '../rules/command.ts';
import { MAY_STORE } from '../rules/leaseSql.ts';
import type { ConsumerStatus } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import { noteChange } from './changes.ts';
import { changeConsumer } from './consumerRows.ts';

/** A consumer and its cursor, locked. */
export interface Row {
  stream: StreamName;
  status: ConsumerStatus;
  target_id: string;
  version: number;
  filter_version: number;
  position: number;
  ahead: number[];
  idle: boolean;
  wanted: number | null;
  wanted_version: number | null;
  indexed_epoch: number | null;
  live: boolean;
  /** Whether an entry fails, and its sender waits for the endpoint. */
  failing: boolean;
  /** How often `retry` was given for such an entry. */
  retried: number;
  syncs: string[];
  collections: string[];
  event_types: string[];
  where: string | null;
}

/** The transaction of one command. */
export interface Tx {
  sql: Sql;
  pages: Pages;
  consumerId: string;
  row: Row;
  request: CommandRequest;
  at: Date;
  /** The leader's stored position and its epoch, locked against its transaction. */
  leader: { position: number; epoch: number };
}

/** Whether the leader has matched everything up to its position for this idle consumer. */
export function watched(tx: Tx): boolean {
  return tx.row.indexed_epoch === tx.leader.epoch;
}

/**
 * Ends the leader's watch over an idle consumer, which is then at the leader's stored position or just
 * before the entry that it wants. Returns the consumer's position.
 */
export async function release(tx: Tx): Promise<number> {
  const { row } = tx;
  let position = row.position;
  if (row.idle && row.wanted === null && watched(tx))
    position = Math.max(position, tx.leader.position);
  if (row.wanted !== null && row.wanted_version === row.filter_version) {
    position = Math.max(position, row.wanted - 1);
  }
  if (row.idle) await leaveLeader(tx.sql, tx.consumerId, position);
  return position;
}

/** Writes the next version of the row, with its row in `changes`, and notifies the running sender. */
export async function write(
  tx: Tx,
  action: string,
  set: Record<string, unknown>,
  detail: Record<string, unknown> = {},
): Promise<CommandAnswer> {
  const { sql, consumerId, request, at } = tx;
  const version = await changeConsumer(sql, consumerId, { version: tx.row.version, at, set });
  const { editId, actor } = request;
  await noteChange(sql, { consumerId, editId, action, actor, detail, version, at });
  return { ok: true, version };
}

/** Locks the leader's position. Call it before `lockRow`: the leader's transaction uses the same order. */
export async function lockLeaderPosition(
  sql: Sql,
  consumerId: string,
): Promise<Tx['leader'] | null> {
  const { rows } = await sql.query<Tx['leader']>({
    text: `
      select t.position, l.epoch
        from consumers k join tails t on t.stream = k.stream cross join leader l
       where k.id = $1 for share of t`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

/** A consumer's sender, as its cursor describes it. */
type Sender = Pick<Row, 'status' | 'version' | 'live'> & { visited: boolean };

/** Reads, without a lock, the facts about a consumer's sender; null when the consumer does not exist. */
export async function readSender(sql: Sql, consumerId: string): Promise<Sender | null> {
  const { rows } = await sql.query<Sender>({
    text: `
      select k.status, k.version, ${MAY_STORE} as live,
             c.visited
        from consumers k join cursors c on c.consumer_id = k.id
       where k.id = $1 and k.deleted_at is null`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

/** Locks a consumer and its cursor; null when it does not exist. A lost filter counts as an empty one. */
export async function lockRow(sql: Sql, consumerId: string): Promise<Row | null> {
  const { rows } = await sql.query<Row>({
    text: `
      select k.stream, k.status, k.target_id, k.version, k.filter_version, c.position, c.ahead, c.idle,
             c.wanted, c.wanted_version, c.indexed_epoch,
             ${MAY_STORE} as live,
             c.head is not null as failing, k.retried,
             coalesce(f.syncs, '{}') as syncs, coalesce(f.collections, '{}') as collections,
             coalesce(f.event_types, '{}') as event_types, f.condition as "where"
        from consumers k
        join cursors c on c.consumer_id = k.id
        left join filter_versions f on f.consumer_id = k.id and f.version = k.filter_version
       where k.id = $1 and k.deleted_at is null
         for update of k, c`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}
