import { expect, test } from 'vitest';

import { changeSentence, whatChanged } from '../../src/console/changes/changeText.ts';
import { filterChange } from '../../src/rules/filterChange.ts';
import { pausedText, whoIs } from '../../src/rules/who.ts';

const ALL = { syncs: ['*'], collections: ['*'], event_types: ['*'] };

test.each<[action: string, detail: Record<string, unknown>, words: string]>([
  ['created', { start: 'end', position: 9 }, 'Created, starting at the end'],
  ['created', { start: 'beginning', position: 0 }, 'Created, starting at the beginning'],
  [
    'created',
    { start: { cursor: 'x' }, position: 1_204 },
    'Created, starting after position 1,204',
  ],
  [
    'created',
    { start: { time: '2026-11-23T10:00:30Z' }, position: 7 },
    'Created, starting at 2026-11-23 10:00 UTC',
  ],
  ['paused', {}, 'Paused'],
  ['resumed', {}, 'Resumed'],
  [
    'stopped',
    { reason: 'the endpoint answered 410 Gone' },
    'Stopped: the endpoint answered 410 Gone',
  ],
  ['retried', {}, 'Retried'],
  ['deleted', {}, 'Deleted'],
  ['seeked', { to: 'beginning', position: 0 }, 'Moved to the beginning'],
  ['seeked', { to: 'end', position: 40 }, 'Moved to the end'],
  ['seeked', { to: { position: 1_204 }, position: 1_204 }, 'Moved to position 1,204'],
  [
    'seeked',
    { to: { time: '2026-11-23T10:00:00+01:00' }, position: 12 },
    'Moved to 2026-11-23 09:00 UTC, position 12',
  ],
  [
    'filter',
    { filter_version: 2, added: { syncs: ['shop'] }, removed: { event_types: ['deleted'] } },
    'Filter: added sync shop, removed event type deleted',
  ],
  [
    'filter',
    { added: { collections: ['a:b', 'a:c'] }, removed: { syncs: ['x', 'y'] }, left_out: 37 },
    'Filter: removed syncs x, y, added collections a:b, a:c, and 37 more values',
  ],
  [
    'filter',
    { added: { syncs: ['*'] }, removed: { syncs: ['x'] } },
    'Filter: all syncs instead of selected ones',
  ],
  ['filter', { filter_version: 3 }, 'Filter: edited, version 3'],
  [
    'changed',
    { fields: ['syncs'], added: { syncs: ['x'] }, removed: { syncs: ['*'] } },
    'Filter: only sync x',
  ],
  ['changed', { fields: ['syncs'], added: {}, removed: { syncs: ['*'] } }, 'Filter: only no sync'],
  [
    'changed',
    { fields: ['name', 'ordering', 'target_id', 'path'], name: 'Orders', ordering: 'stream' },
    'Settings: name “Orders”, order “stream”, target, path',
  ],
  [
    'changed',
    {
      fields: ['alert_emails', 'collections'],
      added: { collections: ['a:c'] },
      removed: { collections: ['a:b'] },
    },
    'Settings: alert addresses; Filter: added collection a:c, removed collection a:b',
  ],
  ['changed', { fields: ['path', 'syncs'] }, 'Settings: path, syncs'],
  [
    'filter',
    { added: { syncs: ['x'] }, removed: {}, where: 'event.data.a > 1' },
    'Filter: added sync x, condition event.data.a > 1',
  ],
  ['filter', { added: {}, removed: {}, where: null }, 'Filter: no condition any more'],
  [
    'changed',
    { fields: ['where', 'body'], added: {}, removed: {}, where: 'event.data.a > 1' },
    'Settings: body; Filter: condition event.data.a > 1',
  ],
  [
    'changed',
    { fields: ['batch'], batch: { max_entries: 100, max_bytes: 1_024, max_wait_ms: 0 } },
    'Settings: batches of up to 100 entries',
  ],
  ['changed', { fields: ['batch'], batch: null }, 'Settings: no batches'],
  ['changed', { fields: [] }, 'Settings saved'],
  ['replayed', { count: 1 }, 'Replayed 1 dead letter'],
  ['replayed', { count: 1_000 }, 'Replayed 1,000 dead letters'],
  ['resent', { count: 1, position: 12 }, 'Resent the entry at position 12'],
  ['moved_house', {}, 'Moved house'],
])('a change “%s” with the detail %j is read as “%s”', (action, detail, words) => {
  expect(whatChanged({ action, actor: 'ada', detail })).toBe(words);
});

test('a sentence about a change says who made it', () => {
  const said = (action: string, actor: string, detail = {}) =>
    changeSentence({ action, actor, detail });
  expect(said('paused', 'ada')).toBe('Paused by ada');
  expect(said('resumed', 'temporal')).toBe('Resumed by a signal from Temporal');
  expect(said('paused', 'bootstrap')).toBe('Paused by the admin key');
  expect(said('retried', 'ada')).toBe('Retried by ada');
  expect(said('retried', 'target', { because: 'target_changed' })).toBe(
    'Retried, because its target was changed',
  );
  expect(said('retried', 'ada', { because: 'target_tested' })).toBe(
    'Retried after a test of its target succeeded (ada)',
  );
  expect(said('retried', 'millrace', { because: 'new_leader' })).toBe(
    'Retried, because another process of Millrace took over',
  );
  expect(said('retried', 'target')).toBe('Retried, because its target was changed or tested');
  expect(said('seeked', 'ada', { to: 'end' })).toBe('Moved to the end by ada');
  expect(said('filter', 'ada', { added: { syncs: ['s'] }, removed: {} })).toBe(
    'Filter: added sync s (ada)',
  );
});

test('who made a change is said as people know it, in the reason of a pause as well', () => {
  expect(whoIs('ada')).toBe('ada');
  expect(whoIs('millrace')).toBe('Millrace');
  expect(pausedText('paused by bootstrap')).toBe('paused by the admin key');
  expect(pausedText('paused by ada')).toBe('paused by ada');
  expect(pausedText('paused')).toBe('paused');
});

test('the changes of a filter are noted for each list, whatever its order, with at most ten values each', () => {
  const many = Array.from({ length: 25 }, (_, n) => `s${n}`);
  expect(filterChange(ALL, ALL)).toEqual({ added: {}, removed: {} });
  expect(filterChange({ ...ALL, syncs: ['a', 'b'] }, { ...ALL, syncs: ['b', 'a'] })).toEqual({
    added: {},
    removed: {},
  });
  expect(filterChange({ ...ALL, syncs: ['a', 'b'] }, { ...ALL, syncs: ['b', 'c'] })).toEqual({
    added: { syncs: ['c'] },
    removed: { syncs: ['a'] },
  });
  expect(filterChange(ALL, { ...ALL, syncs: many })).toEqual({
    added: { syncs: many.slice(0, 10) },
    removed: { syncs: ['*'] },
    left_out: 15,
  });
});
