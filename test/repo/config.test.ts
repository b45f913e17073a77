import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { ConfigError, deliveryQueue, loadConfig } from '../../src/process/config.ts';
import { publicUrl } from '../../src/process/publicUrl.ts';

const key = (): string => randomBytes(32).toString('base64');
const base = {
  DATABASE_URL: 'postgres://u:hunter2@127.0.0.1/db',
  MILLRACE_ENCRYPTION_KEYS: `k1:${key()}`,
  TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml',
};

function failure(env: NodeJS.ProcessEnv, role: 'server' | 'worker' | 'dev' = 'server'): string {
  try {
    loadConfig(env, role);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('the environment', () => {
  test('has the defaults of the documentation', () => {
    expect(loadConfig(base, 'server')).toMatchObject({
      port: 4600,
      host: '127.0.0.1',
      temporalAddress: '127.0.0.1:7233',
      temporalNamespace: 'default',
      apiKey: null,
      apiRateLimit: null,
      trustProxy: false,
      region: 'us-west-2',
      retryWindowMs: 86_400_000,
      idleAfterMs: 60_000,
      visitLanes: 1,
      allowCidrs: [],
      alertEmails: [],
      publicUrl: null,
      smtpUrl: null,
      alertWebhook: null,
      eventRetentionMs: 30 * 86_400_000,
      attemptRetentionMs: 7 * 86_400_000,
      attemptBytes: 10 * 1024 ** 3,
      sendBytes: null,
      logLevel: 'info',
      taskQueue: 'millrace',
    });
  });

  test('is read in all documented forms', () => {
    const [one, two] = [key(), key()];
    const config = loadConfig(
      {
        ...base,
        MILLRACE_PORT: '8080',
        MILLRACE_DATA_DIR: '/srv/mill',
        MILLRACE_ENCRYPTION_KEYS: `new:${one},old:${two}`,
        MILLRACE_REGION: 'eu-1',
        MILLRACE_RETRY_WINDOW: '1.5h',
        MILLRACE_IDLE_AFTER: '500ms',
        MILLRACE_ATTEMPT_SIZE: '1.5GB',
        MILLRACE_SEND_MEMORY: '64MB',
        MILLRACE_ALLOW_CIDRS: '10.0.0.0/8, fd00::/8',
        MILLRACE_ALERT_EMAIL: 'a@example.com,b@example.com',
        SMTP_URL: 'smtp://mail:25',
        MILLRACE_PUBLIC_URL: 'https://Hooks.Example.com:443/',
        TEMPORAL_ADDRESS: 'temporal.example:7233',
        TEMPORAL_NAMESPACE: 'hooks',
      },
      'worker',
    );
    expect(config).toMatchObject({
      port: 8080,
      dataDir: '/srv/mill',
      retryWindowMs: 5_400_000,
      idleAfterMs: 500,
      attemptBytes: 1536 * 1024 ** 2,
      sendBytes: 64 * 1024 ** 2,
      allowCidrs: ['10.0.0.0/8', 'fd00::/8'],
      alertEmails: ['a@example.com', 'b@example.com'],
      smtpUrl: 'smtp://mail:25',
      publicUrl: 'https://hooks.example.com',
      temporalAddress: 'temporal.example:7233',
      temporalNamespace: 'hooks',
    });
    expect(config.encryptionKeys).toEqual([
      { id: 'new', key: Buffer.from(one, 'base64') },
      { id: 'old', key: Buffer.from(two, 'base64') },
    ]);
    expect(deliveryQueue(config)).toBe('millrace-deliver-eu-1');
  });

  test('an API key of Temporal turns on TLS, as in every Temporal tool', () => {
    const env = { ...base, TEMPORAL_ADDRESS: 'x.example:7233', TEMPORAL_API_KEY: 'secret' };
    expect(loadConfig(env, 'server').temporalConnection).toMatchObject({
      address: 'x.example:7233',
      apiKey: 'secret',
      tls: true,
    });
  });

  test('an empty variable counts as not set', () => {
    const config = loadConfig({ ...base, MILLRACE_PORT: '', TEMPORAL_ADDRESS: '' }, 'server');
    expect(config).toMatchObject({ port: 4600, temporalAddress: '127.0.0.1:7233' });
  });

  test.each(['', '# nothing yet\n'])(
    'a configuration file of Temporal that holds %j sets nothing',
    (text) => {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
      const file = join(folder, 'temporal.toml');
      writeFileSync(file, text);
      const env = { ...base, TEMPORAL_CONFIG_FILE: file };
      expect(loadConfig(env, 'server')).toMatchObject({
        temporalAddress: '127.0.0.1:7233',
        temporalNamespace: 'default',
      });
      const address = 'x.example:7233';
      expect(loadConfig({ ...env, TEMPORAL_ADDRESS: address }, 'worker').temporalAddress).toBe(
        address,
      );
      expect(failure({ ...env, TEMPORAL_PROFILE: 'staging' })).toBe(
        "TEMPORAL_PROFILE must name a profile of Temporal's configuration file (TEMPORAL_CONFIG_FILE), " +
          'not "staging".',
      );
      rmSync(folder, { recursive: true });
    },
  );

  test('under npm start loopback is allowed unless the list is set, even to nothing', () => {
    expect(
      loadConfig({ TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml' }, 'dev').allowCidrs,
    ).toEqual(['127.0.0.0/8', '::1/128']);
    expect(loadConfig({ MILLRACE_ALLOW_CIDRS: '' }, 'dev').allowCidrs).toEqual([]);
    expect(loadConfig(base, 'server').allowCidrs).toEqual([]);
  });

  test('has no required variable under npm start', () => {
    expect(loadConfig({ TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml' }, 'dev')).toMatchObject({
      databaseUrl: null,
      temporalAddress: null,
      encryptionKeys: [],
    });
  });

  test.each(['server', 'worker'] as const)('%s.ts says which variables it requires', (role) => {
    expect(failure({ ...base, DATABASE_URL: undefined }, role)).toMatch(
      new RegExp(
        `^DATABASE_URL must be set for ${role}\\.ts: [^.]+\\(npm start brings its own\\)\\.$`,
      ),
    );
    expect(failure({ ...base, MILLRACE_ENCRYPTION_KEYS: '' }, role)).toMatch(
      /^MILLRACE_ENCRYPTION_KEYS must be set/u,
    );
  });
});

describe('where links begin', () => {
  const SMTP = { SMTP_URL: 'smtp://mail:25' };
  const WEBHOOK = { MILLRACE_ALERT_WEBHOOK: 'https://ops.example.com' };
  const NPM_START = { MILLRACE_SUPERVISED: '1' };

  test.each([
    ['server', SMTP],
    ['worker', SMTP],
    ['server', WEBHOOK],
    ['worker', { ...WEBHOOK, MILLRACE_HOST: '127.0.0.1' }],
    ['worker', { ...SMTP, ...NPM_START, MILLRACE_HOST: '0.0.0.0' }],
    ['dev', { ...SMTP, MILLRACE_HOST: '10.0.0.1' }],
  ] as const)('must be set for %s where alerts leave this machine: %o', (role, env) => {
    expect(failure({ ...base, ...env }, role)).toMatch(
      /^MILLRACE_PUBLIC_URL must be set when (SMTP_URL|MILLRACE_ALERT_WEBHOOK) is set: .*\.$/u,
    );
    const config = loadConfig({ ...base, ...env, MILLRACE_PUBLIC_URL: 'https://m.example' }, role);
    expect(publicUrl(config)).toBe('https://m.example');
  });

  test.each([
    ['server', { MILLRACE_ALERT_EMAIL: 'a@example.com' }, 'http://127.0.0.1:4600'],
    ['server', { MILLRACE_HOST: '0.0.0.0', MILLRACE_PORT: '80' }, 'http://127.0.0.1:80'],
    ['worker', { ...SMTP, ...NPM_START, MILLRACE_HOST: '127.0.0.2' }, 'http://127.0.0.2:4600'],
    ['server', { ...WEBHOOK, ...NPM_START, MILLRACE_HOST: '::1' }, 'http://[::1]:4600'],
    ['dev', { ...SMTP, MILLRACE_HOST: 'localhost' }, 'http://localhost:4600'],
  ] as const)('has a default for %s where people are on this machine: %o', (role, env, url) => {
    expect(publicUrl(loadConfig({ ...base, ...env }, role))).toBe(url);
  });
});

describe('a wrong value leads to one sentence that names the variable and the allowed values', () => {
  test.each([
    ['MILLRACE_PORT', 'http', /a port from 0 to 65535, not "http"\.$/u],
    ['MILLRACE_PORT', '65536', /a port from 0 to 65535, not "65536"\.$/u],
    ['MILLRACE_HOST', 'http://x', /an IP address or a host name/u],
    ['MILLRACE_PUBLIC_URL', 'millrace.example.com', /an http or https URL without a path/u],
    ['MILLRACE_PUBLIC_URL', 'ftp://x', /an http or https URL without a path/u],
    ['MILLRACE_PUBLIC_URL', 'https://x/app', /an http or https URL without a path/u],
    ['MILLRACE_PUBLIC_URL', 'https://x/?a=1', /an http or https URL without a path/u],
    ['MILLRACE_PUBLIC_URL', 'https://u@x', /an http or https URL without a path/u],
    ['MILLRACE_REGION', 'US West', /lower-case letters, digits and hyphens/u],
    ['MILLRACE_RETRY_WINDOW', '24', /a duration such as 24h, 60s or 500ms, not "24"\.$/u],
    ['MILLRACE_RETRY_WINDOW', '0s', /a duration from 1s to 30d/u],
    ['MILLRACE_IDLE_AFTER', '-1s', /a duration such as/u],
    ['MILLRACE_IDLE_AFTER', '25h', /a duration from 10ms to 24h/u],
    ['MILLRACE_ALLOW_CIDRS', '10.0.0.1', /a comma-separated list of address ranges/u],
    ['MILLRACE_ALLOW_CIDRS', '10.0.0.0/33', /a comma-separated list of address ranges/u],
    ['MILLRACE_ALLOW_CIDRS', 'example.com/8', /a comma-separated list of address ranges/u],
    ['MILLRACE_ALERT_EMAIL', 'a@example.com,b', /a comma-separated list of email addresses/u],
    ['MILLRACE_MAIL_FROM', 'nobody', /an email address/u],
    ['MILLRACE_ALERT_WEBHOOK_FORMAT', 'teams', /json or slack, not "teams"/u],
    ['MILLRACE_ALERT_WEBHOOK', 'ftp://x', /an http or https URL/u],
    ['MILLRACE_EVENT_RETENTION', 'ever', /a duration/u],
    ['MILLRACE_ATTEMPT_RETENTION', '1w', /a duration/u],
    ['MILLRACE_ATTEMPT_SIZE', '10 gigabytes', /a size such as/u],
    ['MILLRACE_ATTEMPT_SIZE', '1MB', /a size from 10MB to 1000TB/u],
    ['MILLRACE_API_RATE_LIMIT', '-1', /0 \(no limit\) to 999999, not "-1"\.$/u],
    ['MILLRACE_TRUST_PROXY', 'yes', /0 or 1, not "yes"\.$/u],
    ['LOG_LEVEL', 'loud', /trace, debug, info, warn, error, fatal or silent, not "loud"\.$/u],
    ['TEMPORAL_ADDRESS', 'temporal', /host:port such as 127\.0\.0\.1:7233, not "temporal"\.$/u],
  ])('%s=%s', (variable, value, rule) => {
    const message = failure({ ...base, [variable]: value });
    expect(message).toMatch(new RegExp(`^${variable} must be `, 'u'));
    expect(message).toMatch(rule);
    expect(message).not.toContain('\n');
  });

  test.each([
    ['DATABASE_URL', 'mysql://u:hunter2@x/db', /must be a postgres:\/\/ URL\.$/u],
    ['SMTP_URL', 'http://u:hunter2@x', /must be an smtp:\/\/ or smtps:\/\/ URL\.$/u],
    ['MILLRACE_API_KEY', 'hunter2 hunter2 hunter2', /16–255 visible ASCII characters\.$/u],
    ['MILLRACE_ENCRYPTION_KEYS', 'hunter2', /each key 32 bytes in base64\.$/u],
    ['MILLRACE_ENCRYPTION_KEYS', 'k:aHVudGVyMg==', /each key 32 bytes in base64\.$/u],
    ['MILLRACE_ENCRYPTION_KEYS', `k:${key()},k:${key()}`, /without repeated ids\.$/u],
  ])('a wrong value of %s stays secret', (variable, value, rule) => {
    const message = failure({ ...base, [variable]: value });
    expect(message).toMatch(new RegExp(`^${variable} `, 'u'));
    expect(message).toMatch(rule);
    expect(message).not.toMatch(/hunter2|aHVud/u);
  });
});
