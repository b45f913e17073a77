import type { Command } from 'commander';

import type { SearchHit } from '../schema/search.ts';
import type { RunCommand } from './context.ts';
import { EXIT, usage } from './exit.ts';
import { printable } from './table.ts';
import { examples, wholeNumber } from './values.ts';

/** Adds `millrace find`. */
export function addFind(program: Command, run: RunCommand): void {
  program
    .command('find <text>')
    .description(
      'find consumers, targets, sources, syncs, records, events and batches by a name, an id, a webhook-id or a trace',
    )
    .addHelpText(
      'before',
      examples(
        [
          'millrace find crm',
          'consumers, targets, sources and syncs by the beginning of a name or id',
        ],
        ['millrace find cus_1', 'a record by its upstream id, and its newest events'],
        ['millrace find 01a22282-4d54-78ef-84d2-96c4627635a5', 'an entry by its webhook-id'],
        ['millrace find batch_1042_5f2b7c0d9e1a4b6c8d3e2f10', 'a batch by its webhook-id'],
        ['millrace find 4bf92f3577b34da6a3ce929d0e0e4736', 'what was appended in a trace'],
      ),
    )
    .option('--limit <n>', 'find at most this many of each kind (default: 5)', wholeNumber(1, 20))
    .action((text: string, { limit }: { limit?: number }) =>
      run(async ({ client, out }) => {
        if (text.trim() === '')
          throw usage('Give something to find: a name, an id, a webhook-id or a trace');
        const found = await client.search(text, limit);
        if (out.isJson) out.json(found);
        else if (found.data.length > 0) {
          out.page({ data: found.data, next_cursor: null }, COLUMNS, 'results');
        }
        if (found.data.length > 0) return EXIT.ok;
        const why = found.note ?? SEARCHED;
        out.note(printable(`Nothing was found for ${JSON.stringify(text)}. ${why}`));
        return EXIT.notFound;
      }),
    );
}

const SEARCHED =
  'It looks for consumers, targets, sources and syncs by the beginning of a name or an id, ' +
  'for records by their upstream id, for entries and batches by their event id or webhook-id, and for the newest entries of a trace.';

const COLUMNS = [
  { title: 'KIND', of: ({ kind }: SearchHit) => kind },
  { title: 'NAME', of: nameOf },
  { title: 'ID', of: idOf },
  { title: 'ABOUT', of: aboutOf },
];

function nameOf(hit: SearchHit): string | null {
  if (hit.kind === 'batch') return hit.consumer_name;
  return 'upstream_id' in hit ? hit.upstream_id : hit.name;
}

/** The id that other commands accept; for a record, that of its version. */
function idOf(hit: SearchHit): string {
  if (hit.kind === 'sync') return hit.sync_id;
  if (hit.kind === 'event') return hit.event_id;
  if (hit.kind === 'batch') return hit.message_id;
  return hit.kind === 'record' ? hit.version_id : hit.id;
}

function aboutOf(hit: SearchHit): string {
  if (hit.kind === 'consumer') return `${hit.status}, to ${hit.target_name}`;
  if (hit.kind === 'target') return hit.base_url;
  if (hit.kind === 'source') return `${hit.status}, into ${hit.sync_id}`;
  if (hit.kind === 'sync') return hit.last_at === null ? '' : `last event ${hit.last_at}`;
  if (hit.kind === 'batch') return aboutBatch(hit);
  const where = `${hit.collection_id} of ${hit.sync_id}, position ${hit.position}`;
  if (hit.kind === 'event') return `${hit.event}, ${where}`;
  return hit.deleted ? `deleted, ${where}` : where;
}

function aboutBatch(batch: Extract<SearchHit, { kind: 'batch' }>): string {
  const { batch_size, position, outcome, status, error_code, started_at } = batch;
  const how = `${outcome} (${status ?? error_code}) at ${started_at}`;
  return `${batch_size} entries from position ${position} on, ${how}; see attempts --batch-id`;
}
