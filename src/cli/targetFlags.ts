import type { Command } from 'commander';

import type { TargetInput } from '../schema/target.ts';
import { usage } from './exit.ts';
import { collectPair, given, readBytes, textOf, wholeNumber, withInput } from './values.ts';

/** What the flags of `targets create` and `targets update` give. */
export interface TargetFlags {
  name?: string;
  baseUrl?: string;
  basic?: string;
  bearerToken?: string;
  headerKey?: Record<string, string>;
  oauth2TokenUrl?: string;
  oauth2ClientId?: string;
  oauth2ClientSecret?: string;
  oauth2Scope?: string;
  credentials?: boolean;
  header?: Record<string, string>;
  ca?: string | boolean;
  clientCertificate?: string | boolean;
  clientKey?: string;
  timeoutMs?: number;
  maxInFlight?: number;
  rateLimit?: number | boolean;
  metadata?: Record<string, string>;
  input?: string;
}

/** Adds the flags for the fields of a target. */
export function withTargetFlags(command: Command): Command {
  return withCredentials(
    command
      .option('--name <name>', 'its name')
      .option('--base-url <address>', 'URL that webhooks are posted to'),
  )
    .option('--header <name: value>', 'an additional header; repeatable', collectPair)
    .option(
      '--ca <file>',
      'a file with PEM certificates to trust instead of the public authorities, - for stdin',
    )
    .option('--no-ca', 'trust the public certificate authorities')
    .option(
      '--client-certificate <file>',
      'a file with the PEM certificate to show to the endpoint, followed by its chain, - for stdin',
    )
    .option('--client-key <file>', 'a file with the PEM key of that certificate, - for stdin')
    .option('--no-client-certificate', 'show no certificate')
    .option('--timeout-ms <ms>', 'time until the response status arrives', wholeNumber(500, 15_000))
    .option(
      '--max-in-flight <n>',
      'maximum number of open requests, per consumer',
      wholeNumber(1, 1_000),
    )
    .option(
      '--rate-limit <n>',
      'maximum number of requests per second, per consumer',
      wholeNumber(1, 100_000),
    )
    .option('--no-rate-limit', 'no limit')
    .option('--metadata <name=value>', 'your own data; repeatable', collectPair)
    .option(
      '--input <file>',
      'a file with a JSON object of API fields, - for stdin; flags override it',
    );
}

function withCredentials(command: Command): Command {
  return command
    .option('--basic <user:password>', 'credentials that are sent as Basic authentication')
    .option('--bearer-token <token>', 'token that is sent as "Authorization: Bearer …"')
    .option(
      '--header-key <name: value>',
      'credentials that are sent as a secret header',
      collectPair,
    )
    .option('--oauth2-token-url <url>', 'where OAuth 2 client credentials are exchanged for tokens')
    .option('--oauth2-client-id <id>', 'OAuth 2 client ID')
    .option('--oauth2-client-secret <secret>', 'OAuth 2 client secret')
    .option('--oauth2-scope <scope>', 'OAuth 2 scope to ask for, if the token URL wants one')
    .option('--no-credentials', 'send no credentials');
}

/** The fields of a target that flags and `--input` give. Rejects with a `CliError` when flags contradict each other. */
export async function targetInputOf(flags: TargetFlags): Promise<Partial<TargetInput>> {
  const rate = flags.rateLimit;
  return withInput(flags.input, {
    name: flags.name,
    base_url: flags.baseUrl,
    credentials: credentialsOf(flags),
    headers: flags.header,
    ca: await caOf(flags.ca),
    client_certificate: await clientCertificateOf(flags),
    timeout_ms: flags.timeoutMs,
    max_in_flight: flags.maxInFlight,
    rate_limit: rate === false ? null : rate === true ? undefined : rate,
    metadata: flags.metadata,
  });
}

/** The certificates of a file; null to trust the public authorities, undefined where no flag says it. */
async function caOf(ca: TargetFlags['ca']): Promise<string | null | undefined> {
  if (typeof ca === 'string') return textOf(ca, await readBytes(ca));
  return ca === false ? null : undefined;
}

/** The certificate and the key of two files, which belong together; null for none, undefined where no flag says it. */
async function clientCertificateOf({
  clientCertificate: file,
  clientKey: keyFile,
}: TargetFlags): Promise<TargetInput['client_certificate'] | undefined> {
  if (typeof file !== 'string' || keyFile === undefined) {
    if (typeof file === 'string' || keyFile !== undefined) {
      throw usage('--client-certificate and --client-key are given together');
    }
    return file === false ? null : undefined;
  }
  if (file === '-' && keyFile === '-') {
    throw usage('Only one of --client-certificate and --client-key can be read from stdin');
  }
  return {
    certificate: textOf(file, await readBytes(file)),
    key: textOf(keyFile, await readBytes(keyFile)),
  };
}

function credentialsOf(flags: TargetFlags): TargetInput['credentials'] | undefined {
  const { basic, bearerToken, headerKey } = flags;
  const oauth2 = oauth2Of(flags);
  const kinds = [basic, bearerToken, headerKey, oauth2].filter((one) => one !== undefined);
  if (kinds.length + (flags.credentials === false ? 1 : 0) > 1) {
    throw usage(
      "--basic, --bearer-token, --header-key, --oauth2-… and --no-credentials can't be combined",
    );
  }
  if (basic !== undefined) {
    const at = basic.indexOf(':');
    if (at < 0) throw usage('--basic takes user:password');
    return { type: 'basic', username: basic.slice(0, at), password: basic.slice(at + 1) };
  }
  if (bearerToken !== undefined) return { type: 'bearer', token: bearerToken };
  if (oauth2 !== undefined) return oauth2;
  const [header, ...more] = Object.entries(headerKey ?? {});
  if (more.length > 0) throw usage('--header-key can be given only once; --header adds others');
  if (header !== undefined) return { type: 'header', name: header[0], value: header[1] };
  return flags.credentials === false ? { type: 'none' } : undefined;
}

/** The credentials of the flags `--oauth2-…`, which belong together; undefined when none of them is given. */
function oauth2Of(flags: TargetFlags): TargetInput['credentials'] | undefined {
  const {
    oauth2TokenUrl: token_url,
    oauth2ClientId: client_id,
    oauth2ClientSecret: client_secret,
    oauth2Scope: scope,
  } = flags;
  if ([token_url, client_id, client_secret, scope].every((one) => one === undefined)) {
    return undefined;
  }
  if (token_url === undefined || client_id === undefined || client_secret === undefined) {
    throw usage(
      'OAuth 2 takes --oauth2-token-url, --oauth2-client-id and --oauth2-client-secret together',
    );
  }
  return { type: 'oauth2', token_url, client_id, client_secret, ...given({ scope }) };
}
