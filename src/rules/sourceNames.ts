/** Postgres keeps 63 bytes of a name. */
const NAME_CHARS = 30;
const ID_CHARS = 12;

/**
 * The name of the slot and of the publication of a source: readable in its database, made of characters that a slot may
 * have, and of this source alone, so that whatever has the name there is its own.
 */
export function slotOf({ id, name }: { id: string; name: string }): string {
  return `${slotStem(name)}${id.replaceAll('-', '').slice(-ID_CHARS)}`;
}

/** The statements that drop in its database what a source created there. */
export function dropSql({ slot, publication }: { slot: string; publication: string }): string[] {
  return [
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}'`,
    `drop publication if exists ${publication}`,
  ];
}

/** What that name begins with, before the source has an id. */
export function slotStem(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/gu, '')
    .replaceAll(/[^a-z0-9]+/gu, '_')
    .replaceAll(/^_+|_+$/gu, '')
    .slice(0, NAME_CHARS)
    .replace(/_+$/u, '');
  return plain === '' ? 'millrace_' : `millrace_${plain}_`;
}
