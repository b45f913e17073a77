import { expect, test } from 'vitest';

import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { newId } from '../../src/db/ids.ts';
import type { Command } from '../../src/rules/command.ts';
import type { Change } from '../../src/schema/consumer.ts';
import { createPages } from '../../src/streams/pages.ts';
import { openConsumersApi } from '../support/consumers.ts';

test('a change is noted with its details: the values of a filter, the new name', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const commands = createCommandApplier({ db, pages: createPages });
  const { id } = await opened.create({ syncs: ['a'], event_types: ['created', 'deleted'] });
  const give = async (command: Command): Promise<Change['detail']> => {
    const request = { editId: newId(), actor: 'ada', command };
    expect(await commands.apply(id, request, new Date())).toMatchObject({ ok: true });
    const { body } = await opened.api.request('GET', `/v1/changes?consumer_id=${id}&limit=1`);
    return body.data[0].detail;
  };
  const delta = { add: { syncs: ['shop'] }, remove: { event_types: ['deleted' as const] } };
  expect(await give({ kind: 'filter', delta })).toEqual({
    filter_version: 2,
    added: { syncs: ['shop'] },
    removed: { event_types: ['deleted'] },
  });
  const patch = { name: 'Orders', collections: ['a:b'], alert_emails: ['ada@example.com'] };
  expect(await give({ kind: 'patch', patch })).toEqual({
    fields: ['name', 'collections', 'alert_emails'],
    name: 'Orders',
    added: { collections: ['a:b'] },
    removed: { collections: ['*'] },
  });
  expect(
    await give({ kind: 'patch', patch: { ordering: 'stream', syncs: ['shop', 'a'] } }),
  ).toEqual({
    fields: ['ordering', 'syncs'],
    ordering: 'stream',
  });
});
