import { UpstreamId } from '../../schema/fields.ts';
import { membersOf, textOf, type Members } from './jsonText.ts';
import type { KeyFields } from './message.ts';

/**
 * The `upstream_id` of a record by its key: the text of the one value, or a JSON array of several. Numbers keep
 * the text with which they came. Otherwise what is wrong with the key, in words that follow "its key".
 */
export function upstreamIdOf(
  fields: Members,
  key: KeyFields,
): { upstreamId: string } | { fault: string } {
  const values: string[] = [];
  for (const path of key) {
    const value = valueAt(fields, path);
    const name = JSON.stringify(path.join('.'));
    if (value === undefined) return { fault: `${name} is missing` };
    if (value.startsWith('{') || value.startsWith('[')) {
      return { fault: `${name} is an object or an array` };
    }
    values.push(value);
  }
  if (values.every((value) => value === 'null')) {
    return { fault: `${key.map((path) => JSON.stringify(path.join('.'))).join(', ')} is null` };
  }
  return checked(values);
}

/** The `upstream_id` of a key that is an object of its own: its values in their order. */
export function upstreamIdOfKey(members: Members): { upstreamId: string } | { fault: string } {
  return upstreamIdOf(
    members,
    [...members.keys()].map((name) => [name]),
  );
}

function checked(values: readonly string[]): { upstreamId: string } | { fault: string } {
  const [first = ''] = values;
  const upstreamId =
    values.length === 1 ? (textOf(first) ?? first) : `[${values.map(sameText).join(',')}]`;
  if (UpstreamId.safeParse(upstreamId).success) return { upstreamId };
  if (upstreamId === '') return { fault: 'is empty' };
  return { fault: 'has more than 1,024 characters, or one that Postgres does not store' };
}

/** The same text for the same string, however its characters were escaped. */
function sameText(json: string): string {
  const text = textOf(json);
  return text === null ? json : JSON.stringify(text);
}

function valueAt(fields: Members, path: readonly string[]): string | undefined {
  let at: Members | null = fields;
  let value: string | undefined;
  for (const name of path) {
    value = at?.get(name);
    at = value === undefined ? null : membersOf(value);
  }
  return value;
}
