import type { Client, Page } from '../api/client.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { printable } from './table.ts';

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/iu;
/** The beginning of an id; a shorter text is taken as a name. */
const PREFIX = /^[\da-f-]{4,35}$/iu;
const LISTED = 10;

interface Named {
  id: string;
  name: string;
}

/** Finds a consumer by id, beginning of its id, or name. Rejects with a `CliError` listing candidates. */
export async function findConsumer(client: Client, text: string): Promise<string> {
  if (UUID.test(text)) return text;
  return findIn('consumer', text, (cursor) => client.consumers.list({ limit: 1000, cursor }));
}

/** Finds a target by id, beginning of its id, or name. Rejects with a `CliError` listing candidates. */
export async function findTarget(client: Client, text: string): Promise<string> {
  if (UUID.test(text)) return text;
  return findIn('target', text, (cursor) => client.targets.list({ limit: 1000, cursor }));
}

async function findIn<T extends Named>(
  kind: string,
  text: string,
  list: (cursor: string | undefined) => Promise<Page<T>>,
): Promise<string> {
  const byName: Named[] = [];
  const byId: Named[] = [];
  const near: Named[] = [];
  const wanted = text.toLowerCase();
  let cursor: string | undefined;
  do {
    const page = await list(cursor);
    for (const one of page.data) {
      if (one.name === text) byName.push(one);
      else if (PREFIX.test(text) && one.id.startsWith(wanted)) byId.push(one);
      else if (one.name.toLowerCase().includes(wanted)) near.push(one);
    }
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  const found = byName.length > 0 ? byName : byId;
  if (found.length === 1) return found[0]!.id;
  if (found.length > 1) {
    throw usage(`${found.length} ${kind}s are called ${text}; say which by its id:`, listed(found));
  }
  throw new CliError(
    EXIT.notFound,
    `There is no ${kind} ${text}${near.length > 0 ? '; did you mean:' : ''}`,
    near.length > 0 ? listed(near) : `  millrace ${kind}s list shows what there is`,
  );
}

function listed(candidates: Named[]): string {
  const lines = candidates.slice(0, LISTED).map(({ id, name }) => `  ${id}  ${printable(name)}`);
  if (candidates.length > LISTED) lines.push(`  and ${candidates.length - LISTED} more`);
  return lines.join('\n');
}
