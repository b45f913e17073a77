import { randomUUID } from 'node:crypto';

import { ClientError } from '../api/client.ts';
import type { Pass, PassCompleted } from '../schema/pass.ts';
import type { FullPasses } from '../sources/messages/fullPass.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { verbatim } from './output.ts';
import { patiently } from './patience.ts';

/** The full passes of an ingest, one for each stream that may turn out to come whole. */
export interface IngestPasses {
  /** Begins the passes of streams that have come since the last call. */
  begin(): Promise<void>;
  /** The pass in which records of a stream come; undefined when they come in none. */
  idOf(stream: string): string | undefined;
  /** Deletes all records of a stream. */
  empty(stream: string): Promise<void>;
  /**
   * Once all records are stored: deletes what did not come of the streams that came whole. Rejects with a
   * `CliError` that has the counts when that is more than a fifth of a collection and nobody confirmed it, after the
   * other streams are done.
   */
  complete(): Promise<void>;
}

/** Creates the passes of an ingest. What is never completed deletes nothing. */
export function createIngestPasses(options: {
  context: Context;
  sync: string;
  collectionOf: (stream: string) => string;
  followed: FullPasses;
  isConfirmed: boolean;
}): IngestPasses {
  const { context, sync, collectionOf, followed, isConfirmed } = options;
  const { client, out } = context;
  const ids = new Map<string, string>();

  async function open(stream: string): Promise<string> {
    const body = { sync_id: sync, collection_id: collectionOf(stream) };
    const headers = { 'idempotency-key': randomUUID() };
    const pass = await patiently(context, () =>
      client.request<Pass>('POST', '/v1/passes', { body, headers }),
    );
    return pass.id;
  }

  function close(id: string, confirm: boolean): Promise<PassCompleted> {
    const path = `/v1/passes/${id}/complete`;
    return patiently(context, () => client.request('POST', path, { body: { confirm } }));
  }

  async function begin(): Promise<void> {
    for (const stream of followed.streams()) {
      if (!ids.has(stream)) ids.set(stream, await open(stream));
    }
  }

  async function complete(): Promise<void> {
    await begin(); // of streams without records
    const { whole, notWhole } = followed.ended();
    for (const { stream, why } of notWhole) {
      out.note(`Nothing is deleted of stream ${verbatim(stream)}: ${why}`);
    }
    const refused: string[] = [];
    for (const stream of whole) {
      const name = verbatim(collectionOf(stream));
      try {
        const { deleted, seen } = await close(ids.get(stream)!, isConfirmed);
        out.note(`Full pass of ${name}: ${deleted} that did not come deleted, ${seen} left`);
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'too_many_deletes') throw error;
        const { count, records } = error.problem;
        refused.push(`${String(count)} of the ${String(records)} records of ${name} did not come`);
      }
    }
    if (refused.length > 0) throw tooMany(refused);
  }

  return {
    begin,
    idOf: (stream) => ids.get(stream),
    empty: async (stream) => {
      const { deleted } = await close(await open(stream), true);
      out.note(`${verbatim(collectionOf(stream))} was emptied: ${deleted} records deleted`);
    },
    complete,
  };
}

function tooMany(refused: readonly string[]): CliError {
  return new CliError(
    EXIT.conflict,
    `Everything is stored, but nothing is deleted of what is missing: ${refused.join('; ')}. A pass deletes no more than a fifth unasked`,
    'Check that the connector read everything; if these records are gone, run it again with --confirm-deletes',
  );
}
