import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { SMTPServer } from 'smtp-server';

/** A mail as it came in: envelope, unfolded headers by lower-case name, and the text as it was sent. */
export interface ReceivedMail {
  to: string[];
  headers: Record<string, string>;
  text: string;
}

export interface MailServer extends AsyncDisposable {
  url: string;
  port: number;
  mails: ReceivedMail[];
  /** Mails with this `X-Millrace-Alert`. */
  of(kind: string): ReceivedMail[];
  /** Recipients it was asked about and did not answer, whose connections it still had at the time. */
  hanging: Set<string>;
}

/**
 * A real SMTP server that takes every mail, but refuses the recipients that begin with `refuse`, and does not
 * answer for those that begin with `hang`.
 */
export async function openMailServer(port = 0): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const hanging = new Set<string>();
  const asked = new Map<string, string>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: ({ address }, session, done) => {
      if (address.startsWith('refuse')) {
        done(new Error('no such mailbox'));
        return;
      }
      if (!address.startsWith('hang')) {
        done();
        return;
      }
      hanging.add(address);
      asked.set(session.id, address);
    },
    onClose: ({ id }) => void hanging.delete(asked.get(id) ?? ''),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        mails.push(parse(Buffer.concat(chunks).toString('utf8'), to));
        done();
      });
    },
  });
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  const { port: taken } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${taken}`,
    port: taken,
    mails,
    hanging,
    of: (kind) => mails.filter((mail) => mail.headers['x-millrace-alert'] === kind),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(resolve);
      }),
  };
}

function parse(raw: string, to: string[]): ReceivedMail {
  const [head = ''] = raw.split('\r\n\r\n', 1);
  const lines = head.replaceAll(/\r\n[ \t]+/gu, ' ').split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const text = raw.replaceAll('=\r\n', '').replaceAll('=3D', '='); // quoted-printable, RFC 2045 6.7
  return { to, headers: Object.fromEntries(headers) as Record<string, string>, text };
}
