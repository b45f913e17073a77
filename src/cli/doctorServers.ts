import { Connection, type ConnectionOptions } from '@temporalio/client';

import { openDb, type Sql } from '../db/db.ts';
import { pendingMigrations } from '../db/migrate.ts';
import { wrongClocks } from '../process/clockNotes.ts';
import { aheadText } from '../process/clockReadings.ts';
import { channelArgsFor } from '../process/proxies.ts';
import {
  KEYWORD,
  registrationCommand,
  SEARCH_ATTRIBUTES,
} from '../process/searchAttributeNames.ts';
import { fail, ok, skew, warn, type Finding } from './finding.ts';

/** The major version of Postgres that the tests use. */
const TESTED = 18;
const ANSWER_MS = 3_000;

/** Examines Postgres: whether it answers, its version, writes, migrations and clock. */
export async function examinePostgres(options: {
  url: string | null;
  /** Whether it is the embedded one. */
  isOurs: boolean;
}): Promise<Finding[]> {
  const { url, isOurs } = options;
  if (url === null) return [ok('Postgres', 'not set up yet: millrace dev brings its own')];
  await using db = openDb({
    url,
    max: 1,
    applicationName: 'millrace doctor',
    onError: () => undefined, // the query fails with the same error
  });
  try {
    const sentAt = Date.now();
    const { rows } = await db.query<{
      version: string;
      number: number;
      readonly: boolean;
      ms: number;
    }>(
      `select current_setting('server_version') as version,
              current_setting('server_version_num')::int as number,
              pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as readonly,
              (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`,
    );
    const answered = Date.now();
    const { version, number, readonly, ms } = rows[0]!;
    return [
      Math.floor(number / 10_000) === TESTED
        ? ok('Postgres', `${version} answers`)
        : warn(
            'Postgres',
            `${version} answers, but Millrace is not tested with it`,
            `Use Postgres ${TESTED}`,
          ),
      readonly
        ? fail('Postgres writes', 'it is read-only', 'Point DATABASE_URL at the primary')
        : await writable(db),
      await migrated(db),
      skew('Postgres', ms, sentAt, answered),
      ...(await clocksOff(db)),
    ];
  } catch (error) {
    const why = whyOf(error);
    return isOurs
      ? [warn('Postgres', `the embedded one is not running (${why})`, 'Start it with millrace dev')]
      : [
          fail(
            'Postgres',
            `can't be used: ${why}`,
            'Check DATABASE_URL, the server and the network',
          ),
        ];
  }
}

/** A finding for each process whose machine's clock is off, as it has noted itself. */
async function clocksOff(sql: Sql): Promise<Finding[]> {
  const wrong = await wrongClocks(sql).catch(() => []); // the table comes with the migrations
  const fix = 'Run a time service (chrony, systemd-timesyncd) on its machine';
  return wrong.map(({ process, aheadMs }) =>
    warn(
      `Clock of ${process}`,
      `${aheadText(aheadMs)}; webhooks are sent by the clock of Postgres`,
      fix,
    ),
  );
}

async function writable(sql: Sql): Promise<Finding> {
  try {
    await sql.query('create temp table millrace_doctor (a int) on commit drop');
    return ok('Postgres writes', 'allowed');
  } catch (error) {
    return fail('Postgres writes', whyOf(error), 'Give the database user the rights of the owner');
  }
}

async function migrated(sql: Sql): Promise<Finding> {
  const pending = await pendingMigrations(sql);
  return pending.length === 0
    ? ok('Migrations', 'all applied')
    : warn(
        'Migrations',
        `${pending.length} not applied yet`,
        'server.ts applies them when it starts',
      );
}

/** Examines Temporal: whether it answers, its namespace and its search attributes. */
export async function examineTemporal(options: {
  address: string | null;
  isOurs: boolean;
  connection: ConnectionOptions;
  namespace: string;
}): Promise<Finding[]> {
  const { address, isOurs, namespace } = options;
  if (address === null) return [ok('Temporal', 'not set up yet: millrace dev brings its own')];
  let connection: Connection;
  try {
    connection = await Connection.connect({
      ...options.connection,
      ...channelArgsFor(address),
      address,
      connectTimeout: ANSWER_MS,
    });
  } catch (error) {
    const why = whyOf(error);
    return isOurs
      ? [warn('Temporal', `the embedded one is not running (${why})`, 'Start it with millrace dev')]
      : [
          fail(
            'Temporal',
            `${address} can't be used: ${why}`,
            'Check TEMPORAL_ADDRESS, TLS and key',
          ),
        ];
  }
  try {
    return await connection.withDeadline(Date.now() + 2 * ANSWER_MS, async () => {
      const { serverVersion } = await connection.workflowService.getSystemInfo({});
      return [
        ok('Temporal', `${serverVersion ?? 'a server'} answers at ${address}`),
        await hasNamespace(connection, namespace),
        await hasAttributes(connection, namespace),
      ];
    });
  } catch (error) {
    return [fail('Temporal', `${address}: ${whyOf(error)}`, 'Check TEMPORAL_ADDRESS, TLS and key')];
  } finally {
    await connection.close();
  }
}

async function hasNamespace(connection: Connection, namespace: string): Promise<Finding> {
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return ok('Temporal namespace', namespace);
  } catch (error) {
    const fix = `temporal operator namespace create ${namespace}, or set TEMPORAL_NAMESPACE`;
    return fail('Temporal namespace', `${namespace}: ${whyOf(error)}`, fix);
  }
}

async function hasAttributes(connection: Connection, namespace: string): Promise<Finding> {
  const name = 'Search attributes';
  const fix = registrationCommand(namespace, SEARCH_ATTRIBUTES);
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const missing = SEARCH_ATTRIBUTES.filter((one) => Number(customAttributes?.[one]) !== KEYWORD);
    return missing.length === 0
      ? ok(name, SEARCH_ATTRIBUTES.join(', '))
      : fail(name, `${missing.join(' and ')} missing`, fix);
  } catch (error) {
    return warn(name, `can't be listed: ${whyOf(error)}`, fix);
  }
}

/** The error as one line, without passwords in URLs. */
function whyOf(error: unknown): string {
  const { code, message, details } = error as {
    code?: unknown;
    message?: string;
    details?: string;
  };
  const text = details || message || String(code);
  const line = (text.split('\n')[0] ?? '').replaceAll(/:\/\/[^@/\s]*@/gu, '://…@');
  return line === '' ? String(code) : line;
}
