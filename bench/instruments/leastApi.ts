// A process that does the minimum for an append: it stores each request in a table of its own, with one
// statement, and notifies.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Pool } from 'pg';

import { report, settingsOf } from './child.ts';
import { LEAST_CHANNEL, LEAST_TABLE, type LeastSettings } from './leastTable.ts';

const { databaseUrl } = settingsOf() as LeastSettings;
/** A single connection, so that the rows are read without gaps. */
const pool = new Pool({ connectionString: databaseUrl, max: 1 });
const APPEND = {
  name: 'append',
  text: `with made as (insert into ${LEAST_TABLE} (body) values ($1) returning position)
         select pg_notify('${LEAST_CHANNEL}', position::text), position from made`,
};

const server = createServer((request, response) => {
  void append(request, response);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
await report({ url: `http://127.0.0.1:${port}` });

async function append(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    const { rows } = await pool.query({ ...APPEND, values: [Buffer.concat(chunks).toString()] });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rows[0]));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}
