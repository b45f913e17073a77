import type { Client, Page } from '../api/client.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { printable } from './table.ts';

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/iu;
/** The beginning of an id; a shorter text is read as a name. */
const PREFIX = /^[\da-f-]{4,35}$/iu;
const LISTED = 10;

interface Named {
  id: string;
  name: string;
}

/** A kind of thing to find: a word for one of them, and the command that lists them. */
interface Kind {
  one: string;
  list: string;
}

/**
 * Finds a consumer by its id, its name, or the beginning of either. Rejects with a `CliError` that lists
 * candidates when there is none, or more than one.
 */
export async function findConsumer(client: Client, text: string): Promise<string> {
  if (UUID.test(text)) return text;
  const kind = { one: 'consumer', list: 'consumers list' };
  const list: Lister = (cursor) => client.consumers.list({ limit: 1000, cursor });
  return (await findIn(kind, text, list)).id;
}

/** Finds a target as `findConsumer` finds a consumer. */
export async function findTarget(client: Client, text: string): Promise<string> {
  if (UUID.test(text)) return text;
  const kind = { one: 'target', list: 'targets list' };
  const list: Lister = (cursor) => client.targets.list({ limit: 1000, cursor });
  return (await findIn(kind, text, list)).id;
}

/** Finds a source as `findConsumer` finds a consumer. */
export async function findSource(client: Client, text: string): Promise<string> {
  if (UUID.test(text)) return text;
  const kind = { one: 'source', list: 'sources list' };
  const list: Lister = (cursor) => client.sources.list({ limit: 1000, cursor });
  return (await findIn(kind, text, list)).id;
}

/** Finds an API key that is not revoked as `findConsumer` finds a consumer; for an id alone it looks up no name. */
export async function findApiKey(
  client: Client,
  text: string,
): Promise<{ id: string; name: string | null }> {
  if (UUID.test(text)) return { id: text, name: null };
  const kind = { one: 'API key', list: 'keys list' };
  return findIn(kind, text, async (cursor) => {
    const page = await client.apiKeys.list({ limit: 1000, cursor });
    return { ...page, data: page.data.filter((one) => one.revoked_at === null) };
  });
}

/** Finds a dead letter of a consumer by its id or the beginning of its id. */
export async function findDeadLetter(client: Client, id: string, text: string): Promise<string> {
  if (UUID.test(text)) return text;
  const kind = { one: 'dead letter', list: `dead-letters list ${id}` };
  const list: Lister = async (cursor) => {
    const page = await client.deadLetters.list(id, { limit: 1000, cursor });
    const data = page.data.map((one) => ({
      id: one.id,
      name: `${one.collection_id} ${one.upstream_id}`,
    }));
    return { ...page, data };
  };
  return (await findIn(kind, text, list)).id;
}

/** Reads a page of the things of a kind. */
type Lister = (cursor: string | undefined) => Promise<Page<Named>>;

/** An exact name comes before beginnings of names and ids, and those before names that contain the text. */
async function findIn(kind: Kind, text: string, list: Lister): Promise<Named> {
  const exact: Named[] = [];
  const beginning: Named[] = [];
  const near: Named[] = [];
  const wanted = text.toLowerCase();
  if (wanted.trim() === '') throw usage(`Give the name or the id of the ${kind.one}`);
  let cursor: string | undefined;
  do {
    const page = await list(cursor);
    for (const one of page.data) {
      const name = one.name.toLowerCase();
      if (one.name === text) exact.push(one);
      else if (PREFIX.test(text) && one.id.startsWith(wanted)) beginning.push(one);
      else if (name.startsWith(wanted)) beginning.push(one);
      else if (name.includes(wanted)) near.push(one);
    }
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  const found = exact.length > 0 ? exact : beginning;
  if (found.length === 1) return found[0]!;
  const shown = JSON.stringify(printable(text));
  if (found.length > 1) {
    const how = exact.length > 0 ? 'are named' : 'begin with';
    throw usage(
      `${found.length} ${kind.one}s ${how} ${shown}; give the id of one of them:`,
      listed(found),
    );
  }
  throw new CliError(
    EXIT.notFound,
    `There is no ${kind.one} ${shown}${near.length > 0 ? '; did you mean:' : ''}`,
    near.length > 0 ? listed(near) : `  List them with millrace ${kind.list}`,
  );
}

function listed(candidates: Named[]): string {
  const lines = candidates.slice(0, LISTED).map(({ id, name }) => `  ${id}  ${printable(name)}`);
  if (candidates.length > LISTED) lines.push(`  and ${candidates.length - LISTED} more`);
  return lines.join('\n');
}
