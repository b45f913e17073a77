import type { Sql } from '../db/db.ts';
import type { ListPlace } from '../db/keyset.ts';
import { contains, isAfter, type Bind } from '../db/listSql.ts';
import type { ConsumerStatus, ConsumerWith } from '../schema/consumer.ts';
import { selectConsumers } from './consumerView.ts';
import type { Rank, RankedPlace } from './rankedPlace.ts';

/** Which consumers are meant. */
export interface ConsumerFilter {
  /** Words, each a part of the name, the id or the target's name, in any order and in upper or lower case. */
  q?: string | undefined;
  status?: ConsumerStatus | undefined;
  targetId?: string | undefined;
  /** Only those that have parked entries, or dead letters, or can't be sent to. */
  has?: ConsumerWith | undefined;
}

/** Which consumers to list, newest first. */
export interface ConsumerQuery extends ConsumerFilter {
  limit: number;
  after: ListPlace | null;
}

/** Which consumers to list by rank. */
export interface RankedQuery extends ConsumerFilter {
  by: Rank;
  limit: number;
  after: RankedPlace | null;
}

/** A statement with its values. */
interface Statement {
  text: string;
  values: unknown[];
}

/** The statement for a page of consumers. It walks the index `consumers_newest` and stops at the limit. */
export function listQuery(query: ConsumerQuery): Statement {
  const values: unknown[] = [query.limit + 1];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const conditions = conditionsOf(query, bind);
  if (query.after !== null) conditions.push(isAfter(query.after, bind));
  return {
    text: selectConsumers(`
      select * from consumers
       where ${conditions.join(' and ')}
       order by created_at desc, id desc
       limit $1`),
    values,
  };
}

/**
 * What each rank is counted from: the time that the newest figures have, and the figures of a time. Both are small,
 * whatever was sent: samples are of consumers with something to do, and hours are summed up.
 */
const RANKS: Record<Rank, { newest: string; at: (time: string) => string }> = {
  lag: {
    newest: `select coalesce(max(at), timestamptz 'epoch') as at from lag_samples
              where at >= date_bin('1 min', now(), timestamptz 'epoch') - interval '1 min'`,
    at: (time) => `select consumer_id, entries as rank from lag_samples where at = ${time}`,
  },
  failed: {
    newest: `select date_bin('1 hour', now(), timestamptz 'epoch') - interval '1 hour' as at`,
    at: (time) => `select consumer_id, sum(failed)::bigint as rank from attempt_hours
                    where at >= ${time} group by consumer_id`,
  },
};

/** The time of the newest figures by which consumers are ranked, RFC 3339. */
export async function newestRanks(sql: Sql, by: Rank): Promise<string> {
  const { rows } = await sql.query<{ at: string }>(RANKS[by].newest);
  return rows[0]!.at;
}

/**
 * The statement for a page of consumers by the figures of a time. It reads the figures, and one row of each consumer
 * that matches; everything else only of a page.
 */
export function rankedQuery(query: RankedQuery, asOf: string): Statement {
  const values: unknown[] = [query.limit + 1];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const ranks = RANKS[query.by].at(`${bind(asOf)}::timestamptz`);
  const conditions = conditionsOf(query, bind);
  if (query.after !== null) {
    const { rank, id } = query.after;
    conditions.push(`(coalesce(ranked.rank, 0), id) < (${bind(rank)}::bigint, ${bind(id)}::uuid)`);
  }
  return {
    text: selectConsumers(
      `
      select consumers.*, coalesce(ranked.rank, 0) as ranked_by
        from consumers
        left join (${ranks}) ranked on ranked.consumer_id = consumers.id
       where ${conditions.join(' and ')}
       order by ranked_by desc, id desc
       limit $1`,
      'ranked_by',
    ),
    values,
  };
}

/** The statement that counts the consumers that match. */
export function countQuery(filter: ConsumerFilter): Statement {
  const values: unknown[] = [];
  const conditions = conditionsOf(filter, (value) => `$${values.push(value)}`);
  return {
    text: `select count(*) as total from consumers where ${conditions.join(' and ')}`,
    values,
  };
}

function conditionsOf(filter: ConsumerFilter, bind: Bind): string[] {
  const conditions = ['deleted_at is null'];
  if (filter.q !== undefined) {
    const names = (like: string): string[] => [
      `name ${like}`,
      `target_id in (select id from targets where name ${like})`,
    ];
    for (const word of wordsOf(filter.q)) conditions.push(contains(word, bind, names));
  }
  if (filter.status !== undefined) conditions.push(hasStatus(filter.status, bind));
  if (filter.targetId !== undefined) conditions.push(`target_id = ${bind(filter.targetId)}`);
  if (filter.has !== undefined) conditions.push(HAS[filter.has]);
  return conditions;
}

/** Each word is compared with all rows that are read, so a text of more is compared as a whole. */
const MOST_WORDS = 8;

/** The words of a text, which may occur in any order; a text without any is compared as it is. */
function wordsOf(text: string): string[] {
  const words = text.split(/\s+/u).filter((word) => word !== '');
  return words.length === 0 || words.length > MOST_WORDS ? [text] : words;
}

/** The conditions for what consumers may have, as it is shown. */
const HAS: Record<ConsumerWith, string> = {
  parked: 'exists (select from parked where consumer_id = consumers.id)',
  dead_letters: 'exists (select from dead_letters where consumer_id = consumers.id)',
  cannot_start: `status in ('active', 'blocked')
    and exists (select from start_faults where consumer_id = consumers.id)`,
};

/** The condition for the status that is shown (`SHOWN_STATUS`), in a form that uses indexes. */
function hasStatus(status: ConsumerStatus, bind: Bind): string {
  const stored = `status = ${bind(status)}`;
  const fails = 'select consumer_id from cursors where head is not null';
  if (status === 'active') return `${stored} and id not in (${fails})`;
  return status === 'blocked' ? `(${stored} or (status = 'active' and id in (${fails})))` : stored;
}
