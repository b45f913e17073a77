import type { Db, Pipe, Sql } from '../../src/db/db.ts';

/** The plans of the statements that `work` runs, as Postgres carries them out. */
export async function plansOf(db: Db, work: (sql: Db) => Promise<unknown>): Promise<string> {
  const plans: string[] = [];
  const query: Sql['query'] = async (asked) => {
    const { text, values } = typeof asked === 'string' ? { text: asked } : asked;
    const plan = await db.query<Record<'QUERY PLAN', string>>({
      text: `explain (analyze, timing off) ${text}`,
      ...(values === undefined ? {} : { values }),
    });
    plans.push(plan.rows.map((row) => row['QUERY PLAN']).join('\n'));
    return db.query(asked);
  };
  const pipe: Pipe = {
    ...db.pipe,
    query,
    transaction: async (queries) => {
      for (const one of queries) await query(one);
      return [];
    },
  };
  await work({ ...db, query, pipe });
  return plans.join('\n\n');
}
