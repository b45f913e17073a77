import pg from 'pg';

/**
 * Whether the server works on a statement of the session with this process id, asked over a connection of its own.
 * False when there is no such session, or when it waits for its client. Rejects when the server can't be asked, or has
 * not answered within the `query_timeout` of `config`.
 */
export async function isAtWork(config: pg.ClientConfig, processId: number): Promise<boolean> {
  const client = new pg.Client(config);
  client.on('error', () => undefined); // its query fails as well
  await client.connect();
  try {
    const { rows } = await client.query({
      text: `select from pg_stat_activity where pid = $1 and state = 'active'`,
      values: [processId],
    });
    return rows.length > 0;
  } finally {
    client.connection.stream.destroy(); // to end it would wait for a server that may not answer
  }
}
