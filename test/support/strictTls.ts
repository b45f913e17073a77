import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Certificate } from './certificate.ts';

/** A server that says why it refuses a client certificate, which Node's own does not. */
export interface StrictTls extends AsyncDisposable {
  port: number;
}

/** Answers 204 to clients with a certificate of that authority, by OpenSSL as Python has it. */
export async function openStrictTls(
  own: Certificate,
  { authority, version }: { authority: string; version: 'TLSv1_2' | 'TLSv1_3' },
): Promise<StrictTls> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tls-'));
  const files = { 'own.crt': own.cert, 'own.key': own.key, 'authority.crt': authority };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const child = spawn('python3', ['-c', PROGRAM, version], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [said] = (await Promise.race([once(child.stdout, 'data'), exited])) as [Buffer];
  return {
    port: Number(String(said)),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}

/** What comes after a refusal is read, as a connection with unread bytes would be reset, and the alert with it. */
const PROGRAM = `
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('own.crt', 'own.key')
context.load_verify_locations('authority.crt')
context.verify_mode = ssl.CERT_REQUIRED
context.minimum_version = context.maximum_version = ssl.TLSVersion[sys.argv[1]]

def serve(plain):
    plain.settimeout(10)
    tls = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
    try:
        tls.do_handshake()
        while b'\\r\\n\\r\\n' in tls.recv(65536):
            tls.sendall(b'HTTP/1.1 204 No Content\\r\\n\\r\\n')
    except ssl.SSLError:
        socket.socket.shutdown(tls, socket.SHUT_WR)
        while socket.socket.recv(tls, 65536):
            pass
    except OSError:
        pass
    finally:
        tls.close()

server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
`;
