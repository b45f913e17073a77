import type { Received, Respond } from './receiver.ts';

/** One entry of a batch that has arrived. */
export interface Element {
  position: number;
  /** Its `event_id` or `version_id`. */
  id: string;
  record: string;
  /** The number that `someEvents` gave it. */
  n: number;
  /** Its JSON, as it came. */
  text: string;
}

interface Parsed {
  position?: number;
  updated_idx?: number;
  event_id?: string;
  version_id?: string;
  upstream_id: string;
  data: { n?: number };
}

/** The entries of a request with the envelope of batches, in their order. Throws for any other body. */
export function elementsOf({ body }: Pick<Received, 'body'>): Element[] {
  const [, kind] = /^\{"(events|records)":\[/u.exec(body) ?? [];
  if (kind === undefined) throw new Error(`no batch: ${body.slice(0, 80)}`);
  const parsed = JSON.parse(body) as Record<string, Parsed[]>;
  const texts = cut(body.slice(body.indexOf('[') + 1, -2));
  return (parsed[kind] ?? []).map((one, index) => ({
    position: one.position ?? one.updated_idx ?? NaN,
    id: one.event_id ?? one.version_id ?? '',
    record: one.upstream_id,
    n: one.data.n ?? NaN,
    text: texts[index] ?? '',
  }));
}

/** All entries that were answered 2xx, in the order of the requests. */
export function deliveredIn(received: readonly Received[]): Element[] {
  return received.filter(({ status }) => status >= 200 && status < 300).flatMap(elementsOf);
}

/** Responds after so many ms, and notes the status then. */
export function later(ms: number | (() => number), respond: Respond): Respond {
  return (one, response) => {
    setTimeout(
      () => {
        respond(one, response);
        one.status = response.headersSent ? response.statusCode : 0;
      },
      typeof ms === 'number' ? ms : ms(),
    );
  };
}

/** Cuts a list of objects at the commas between them. */
function cut(list: string): string[] {
  const found: string[] = [];
  let [depth, start, quoted] = [0, 0, false];
  for (let at = 0; at < list.length; at += 1) {
    const char = list[at];
    if (char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === '{') depth += 1;
    else if (!quoted && char === '}') depth -= 1;
    else if (!quoted && char === ',' && depth === 0) {
      found.push(list.slice(start, at));
      start = at + 1;
    }
  }
  return [...found, list.slice(start)];
}
