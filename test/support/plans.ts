import type { Db, Sql } from '../../src/db.ts';

/** The plans of the statements that `work` runs, as Postgres carries them out. */
export async function plansOf(db: Db, work: (sql: Sql) => Promise<unknown>): Promise<string> {
  const plans: string[] = [];
  await work({
    query: async (query) => {
      const { text, values } = typeof query === 'string' ? { text: query } : query;
      const plan = await db.query<Record<'QUERY PLAN', string>>({
        text: `explain (analyze, timing off) ${text}`,
        ...(values === undefined ? {} : { values }),
      });
      plans.push(plan.rows.map((row) => row['QUERY PLAN']).join('\n'));
      return db.query(query);
    },
  });
  return plans.join('\n\n');
}
