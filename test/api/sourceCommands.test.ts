// what is done with a source that is there
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createSource, openSourceSite, type Shop, type SourceSite } from '../support/sourceSite.ts';

let site: SourceSite;
let shop: Shop;

beforeAll(async () => {
  site = await openSourceSite();
  shop = await site.createShop();
});
afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

/** What a follower stores of a source. */
async function note(id: string, columns: string): Promise<void> {
  await site.api.db.query({ text: `update sources set ${columns} where id = $1`, values: [id] });
}

async function noteTables(id: string, columns: string): Promise<void> {
  const text = `update source_tables set ${columns} where source_id = $1`;
  await site.api.db.query({ text, values: [id] });
}

async function snapshots(id: string): Promise<Record<string, number>> {
  const { rows } = await site.api.db.query<{ name: string; snapshot: number }>({
    text: 'select table_name as name, snapshot from source_tables where source_id = $1',
    values: [id],
  });
  return Object.fromEntries(rows.map(({ name, snapshot }) => [name, snapshot]));
}

describe('commands', () => {
  const STATUSES = ['active', 'paused', 'failed', 'deleting'] as const;
  /** The status that each command leaves; null: it is refused. */
  const AFTER: Record<string, Record<(typeof STATUSES)[number], string | null>> = {
    pause: { active: 'paused', paused: 'paused', failed: 'paused', deleting: null },
    resume: { active: 'active', paused: 'active', failed: 'active', deleting: null },
    snapshot: { active: 'active', paused: 'paused', failed: 'failed', deleting: null },
  };
  const cases = Object.entries(AFTER).flatMap(([verb, after]) =>
    STATUSES.map((status) => [verb, status, after[status]] as const),
  );

  test.each(cases)('%s of a source that is %s makes it %s', async (verb, status, after) => {
    const { id } = await createSource(site, { url: shop.url });
    await note(id, `status = '${status}', status_reason = 'why'`);
    const { status: code, body } = await site.api.request('POST', `/v1/sources/${id}/${verb}`);
    if (after === null) {
      expect([code, body.code]).toEqual([409, 'wrong_status']);
      const edit = await site.api.request('PATCH', `/v1/sources/${id}`, { name: 'Late' });
      expect(edit.body.code).toBe('wrong_status');
      return;
    }
    expect([code, body.status]).toEqual([200, after]);
    expect(body.status_reason).toBe(after === status ? 'why' : null);
  });

  test('tables are read anew, all of them or those that are named', async () => {
    const tables = ['public.users', 'public.orders'];
    const { id } = await createSource(site, { url: shop.url, tables });
    await noteTables(id, `state = 'following', rows_read = 5`);
    const path = `/v1/sources/${id}/snapshot`;
    const one = await site.api.request('POST', path, { tables: ['public.users'] });
    expect(one.body.tables).toMatchObject([
      { table: 'public.orders', state: 'following', rows: 5 },
      { table: 'public.users', state: 'waiting', rows: 0 },
    ]);
    const first = await snapshots(id);
    expect(first['users']).toBeGreaterThan(first['orders']!);
    const all = await site.api.request('POST', path);
    expect(all.body.tables.map(({ state }: { state: string }) => state)).toEqual([
      'waiting',
      'waiting',
    ]);
    const second = await snapshots(id);
    for (const name of ['users', 'orders']) expect(second[name]).toBeGreaterThan(first[name]!);
    const { status, body } = await site.api.request('POST', path, { tables: ['public.notes'] });
    expect([status, body.errors[0].pointer]).toEqual([422, '/tables/0']);
  });

  test('a table that asks is confirmed, and not read again', async () => {
    const tables = ['public.users', 'public.orders'];
    const { id } = await createSource(site, { url: shop.url, tables });
    await noteTables(id, `state = 'asking', detail = 'why', rows_read = 5`);
    const before = await snapshots(id);
    const path = `/v1/sources/${id}/snapshot`;
    const confirmed = { tables: ['public.users'], confirm: true };
    const { body } = await site.api.request('POST', path, confirmed);
    expect(body.tables[1]).toMatchObject({ state: 'asking', detail: 'why', rows: 5 });
    expect(await snapshots(id)).toEqual(before);
    const { rows } = await site.api.db.query({
      text: 'select table_name, is_confirmed from source_tables where source_id = $1 order by 1',
      values: [id],
    });
    expect(rows).toEqual([
      { table_name: 'orders', is_confirmed: false },
      { table_name: 'users', is_confirmed: true },
    ]);
    const again = await site.api.request('POST', path, { tables: ['public.orders'] });
    expect(again.body.tables[0]).toMatchObject({ state: 'waiting', detail: null, rows: 0 });
  });
});

describe('a deletion', () => {
  test('waits for the follower to drop the slot, and then answers 204', async () => {
    const { id } = await createSource(site, { url: shop.url });
    const deleted = site.api.request('DELETE', `/v1/sources/${id}`);
    await expect
      .poll(async () => (await site.api.request('GET', `/v1/sources/${id}`)).body.status)
      .toBe('deleting');
    await site.api.db.query({ text: 'delete from sources where id = $1', values: [id] });
    expect((await deleted).status).toBe(204);
    expect((await site.api.request('DELETE', `/v1/sources/${id}`)).status).toBe(404);
  });

  test('that takes longer answers 202, and goes on', async () => {
    const { id } = await createSource(site, { url: shop.url });
    for (const _ of ['first', 'again']) {
      const { status, body } = await site.api.request('DELETE', `/v1/sources/${id}`);
      expect([status, body.status]).toEqual([202, 'deleting']);
    }
  });

  test('without the database says what is left in it, and how to drop it', async () => {
    const { id, slot } = await createSource(site, { url: shop.url });
    await using session = await site.postgres.connect(shop.url);
    await session.run(
      `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`,
      `create publication ${slot} for table users`,
    );
    await site.api.db.query({
      text: `insert into checkpoints (source, key, value, updated_at) values ($1, 'log', '', now())`,
      values: [`source/${id}`],
    });
    const { status, body } = await site.api.request('DELETE', `/v1/sources/${id}?forget=true`);
    expect([status, body.id, body.slot, body.publication]).toEqual([200, id, slot, slot]);
    expect((await site.api.request('GET', `/v1/sources/${id}`)).status).toBe(404);
    expect((await site.api.request('GET', `/v1/checkpoints/source%2F${id}`)).body.data).toEqual([]);
    await session.run(...body.sql);
    expect(
      await session.rows(
        'select slot_name from pg_replication_slots union all select pubname from pg_publication',
      ),
    ).toEqual([]);
  });
});
