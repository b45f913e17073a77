import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { ConfigError } from './config.ts';

/**
 * Resolves with the port once the server listens. Rejects with a `ConfigError` that names `variables`
 * (`MILLRACE_HOST and MILLRACE_PORT`) when the address is taken or does not belong to this machine.
 */
export async function listenOn(
  server: Server,
  { host, port }: { host: string; port: number },
  variables: string,
): Promise<number> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `${variables} must name an address and a port that are free: ${host}:${port} is not (${code}).`,
    );
  }
  return (server.address() as AddressInfo).port;
}
