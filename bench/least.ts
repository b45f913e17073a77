import { startChild } from './instruments/child.ts';
import { cpuBetween, cpuFigures, readCpu } from './instruments/cpu.ts';
import { named, type Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { LEAST_CURSOR, LEAST_TABLE, type LeastSettings } from './instruments/leastTable.ts';
import { produce } from './push.ts';

const API = new URL('./instruments/leastApi.ts', import.meta.url);
const SENDER = new URL('./instruments/leastSender.ts', import.meta.url);
const WARM_SECONDS = 3;
const SECONDS = 20;
const ARRIVE_MS = 60_000;

/**
 * Measures what the smallest program takes that stores each entry, notifies, reads, signs and posts it: no
 * auth, no filter, no order, no retries, one consumer. This is what a steady trickle costs on this machine in
 * any case.
 */
export async function least(installation: Installation, rates: number[]): Promise<Figure[]> {
  const { sql } = installation;
  await sql.query(
    `create table ${LEAST_TABLE} (position bigint generated always as identity primary key, body text not null);
     create table ${LEAST_CURSOR} as select 0::bigint as position`,
  );
  const settings: LeastSettings = {
    databaseUrl: installation.databaseUrl,
    endpointUrl: installation.endpoint.url,
  };
  const figures: Figure[] = [];
  try {
    await using api = startChild<{ url: string }>(API, settings);
    const { url } = await api.reported;
    await using sender = startChild(SENDER, settings);
    await sender.reported;
    const { Postgres, receiver } = installation.pids();
    const pids = {
      API: api.pid,
      sender: sender.pid,
      Postgres: Postgres ?? null,
      receiver: receiver ?? null,
    };
    for (const rate of rates) {
      await run(rate, WARM_SECONDS);
      const before = readCpu(pids);
      const { appended, latency } = await run(rate, SECONDS);
      const cpu = cpuBetween(before, readCpu(pids));
      figures.push(
        ...named(`least program, ${rate}/s`, [
          { name: 'append → received p50', value: latency.p50, unit: 'ms' },
          { name: 'append → received p99', value: latency.p99, unit: 'ms' },
          ...cpuFigures(cpu, appended / 1_000),
        ]),
      );
    }

    async function run(rate: number, seconds: number) {
      await installation.endpoint.reset({ latency: true });
      const load = { connections: 64, prefix: 'least', syncs: 1, records: 1, dataBytes: 200 };
      const { appended } = await produce({ ...installation, url }, { ...load, rate, seconds });
      await installation.endpoint.gets(appended, ARRIVE_MS);
      return { appended, latency: await installation.endpoint.latency() };
    }
  } finally {
    await sql.query(`drop table ${LEAST_TABLE}, ${LEAST_CURSOR}`);
  }
  return figures;
}
