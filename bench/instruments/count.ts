import type { Installation } from './installation.ts';

/** How many rows of the table meet the condition, which is SQL. */
export async function countRows(
  { sql }: Pick<Installation, 'sql'>,
  table: string,
  condition: string,
): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::int as count from ${table} where ${condition}`,
  );
  return rows[0]?.count ?? 0;
}

/** Whether the workflows of all consumers have begun. */
export async function allStarted(installation: Pick<Installation, 'sql'>): Promise<boolean> {
  return (await countRows(installation, 'consumers', 'not started')) === 0;
}
