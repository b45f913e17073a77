import { elementsOf, membersOf } from './jsonMembers.ts';

/** What pointers keep of a value. */
export interface Kept {
  /** A pointer ends here: all of it. */
  whole: boolean;
  /** By the name of a field, or the index of an element. */
  below: Map<string, Kept>;
}

/** What a list of valid JSON pointers keeps of the value that they are relative to. */
export function keptBy(pointers: readonly string[]): Kept {
  const root: Kept = { whole: false, below: new Map() };
  for (const pointer of pointers) {
    let at = root;
    for (const token of pointer.split('/').slice(1)) {
      const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
      const next = at.below.get(name) ?? { whole: false, below: new Map() };
      at.below.set(name, next);
      at = next;
    }
    at.whole = true;
  }
  return root;
}

/** The members of an entry that are kept only as far as a pointer says; all others are always kept. */
const SELECTED = new Set(['data', 'changes']);

/**
 * An entry's body, `{"event":{…}}` or `{"record":{…}}`, with no more of its `data` and `changes` than is kept. What is
 * kept is the text as it was stored. A pointer that points at nothing leaves nothing, not even the objects on its way;
 * of an array, the elements that are kept stay in their order.
 */
export function cutBody(body: string, kept: Kept): string {
  const open = body.indexOf('{', 1);
  const parts: string[] = [];
  for (const [name, { key, value }] of membersOf(body.slice(open, -1)) ?? []) {
    const piece = SELECTED.has(name) ? cut(value, kept.below.get(name)) : value;
    if (piece !== null) parts.push(`${key}:${piece}`);
  }
  return `${body.slice(0, open)}{${parts.join(',')}}}`;
}

/** The text of what is kept of a value; null when that is nothing. */
function cut(text: string, kept: Kept | undefined): string | null {
  if (kept === undefined) return null;
  if (kept.whole) return text;
  const parts: string[] = [];
  const members = membersOf(text);
  for (const [name, { key, value }] of members ?? []) {
    const piece = cut(value, kept.below.get(name));
    if (piece !== null) parts.push(`${key}:${piece}`);
  }
  if (members !== null) return parts.length === 0 ? null : `{${parts.join(',')}}`;
  for (const [index, element] of (elementsOf(text) ?? []).entries()) {
    const piece = cut(element, kept.below.get(String(index)));
    if (piece !== null) parts.push(piece);
  }
  return parts.length === 0 ? null : `[${parts.join(',')}]`;
}
