import { codeOf } from '../../egress/errorCode.ts';
import { whyTlsFailed } from '../../egress/tlsError.ts';
import type { Finding } from './inspection.ts';
import type { SourceAddress } from './sourceAddress.ts';
import { NotPostgres } from './tlsOffer.ts';

type Words = Pick<Finding, 'problem' | 'advice'>;
/** What of an address may be said: everything but the password. */
export type ShownAddress = Pick<SourceAddress, 'host' | 'port' | 'user' | 'database'>;

const CHECK_PLACE = 'Check the host and the port in the URL';
const FIREWALL = `${CHECK_PLACE}, and that its firewall lets Millrace in.`;

/** Why a database can't be connected to or asked, and what to do about it. It never has a password. */
export function connectionFault(error: unknown, address: ShownAddress): Words {
  const message = error instanceof Error ? error.message : '';
  const code = codeOf(error);
  return (
    byCode(code, message, address) ??
    byMessage(error, message, address) ??
    byTls(code) ?? {
      problem: `The database can't be used: ${message === '' ? code : message}.`,
      advice: 'Look into its log.',
    }
  );
}

function byCode(code: string, message: string, address: ShownAddress): Words | null {
  const { host, port, user, database } = address;
  switch (code) {
    case 'ADDRESS_REFUSED':
      return {
        problem: `${host} is not at a public address, nor at one that MILLRACE_ALLOW_CIDRS names.`,
        advice: 'Have the operator of Millrace allow its address there, if it may be reached.',
      };
    case 'ENOTFOUND':
      return { problem: `There is no host ${host}.`, advice: 'Check the host in the URL.' };
    case 'EAI_AGAIN':
      return {
        problem: `The host ${host} could not be looked up.`,
        advice: 'Try again; if it stays so, check the DNS of the machine that Millrace runs on.',
      };
    case 'ECONNREFUSED':
      return { problem: `Nothing listens at ${host}:${port}.`, advice: `${CHECK_PLACE}.` };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { problem: `There is no way to ${host}.`, advice: FIREWALL };
    case 'ETIMEDOUT':
      return silent(address);
    case '28P01':
      return {
        problem: `The password for the role ${user} is wrong, or there is no such role.`,
        advice:
          'Check both in the URL; a character with a meaning in URLs is written as in %40 for @.',
      };
    case '28000':
      return {
        problem: `The database refuses the login: ${message}.`,
        advice: /no encryption|SSL off/u.test(message)
          ? 'Add sslmode=require to the URL, or allow the login in pg_hba.conf.'
          : `Check the role in the URL, and that pg_hba.conf lets ${user} log in to ${database}.`,
      };
    case '3D000':
      return {
        problem: `There is no database ${database} at ${host}:${port}.`,
        advice: 'Check the path of the URL.',
      };
    case '42501':
      return {
        problem: `The role ${user} may not do what is needed: ${message}.`,
        advice: `Grant it to ${user}, or use another role.`,
      };
    case '53300':
      return {
        problem: `All connections of the database are taken: ${message}.`,
        advice: 'Close some, or raise max_connections and restart Postgres.',
      };
    case '57P03':
      return {
        problem: `The database accepts no connections now: ${message}.`,
        advice: 'Wait until it has started.',
      };
    default:
      return null;
  }
}

/** The driver gives no code to these. */
function byMessage(error: unknown, message: string, address: ShownAddress): Words | null {
  const { host, port } = address;
  if (/timeout expired|Query read timeout/u.test(message)) return silent(address);
  if (/server does not support SSL/u.test(message)) {
    return {
      problem: `The database at ${host}:${port} does not offer TLS.`,
      advice: 'Switch ssl on there, or use sslmode=disable if the way to it is safe.',
    };
  }
  if (error instanceof NotPostgres || /establishing an SSL connection/u.test(message)) {
    return {
      problem: `What listens at ${host}:${port} is not Postgres.`,
      advice: `${CHECK_PLACE}.`,
    };
  }
  if (/client password must be/u.test(message)) {
    return {
      problem: 'The database asks for a password, and the URL has none.',
      advice: 'Add it: postgres://user:password@…',
    };
  }
  if (/unsupported startup parameter/u.test(message)) {
    return {
      problem: `What listens at ${host}:${port} is a pool of connections, through which no log can be followed.`,
      advice: 'Use the address of the database itself.',
    };
  }
  if (/Connection terminated|ECONNRESET|EPIPE/u.test(message)) {
    return {
      problem: `${host}:${port} closed the connection.`,
      advice: `${CHECK_PLACE}, and the log of the database.`,
    };
  }
  return null;
}

function byTls(code: string): Words | null {
  const why = whyTlsFailed(code);
  if (why === null) return null;
  return {
    problem: `${why.charAt(0).toUpperCase()}${why.slice(1)}.`,
    advice:
      'What is checked is what sslmode says: verify-full, verify-ca, or with require nothing.',
  };
}

function silent({ host, port }: ShownAddress): Words {
  return { problem: `${host}:${port} does not answer.`, advice: FIREWALL };
}
