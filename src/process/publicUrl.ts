/** Where the API listens. */
export interface Listening {
  host: string;
  port: number;
}

/** The origin with which every link that Millrace gives to people begins. */
export function publicUrl(config: Listening & { publicUrl: string | null }): string {
  return config.publicUrl ?? localUrl(config);
}

/** The URL at which a program on this machine reaches the API. */
export function localUrl({ host, port }: Listening): string {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host;
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${port}`;
}

/** Whether this is an http or https URL without anything after its host and port. */
export function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return /^https?:$/u.test(url?.protocol ?? '') && url?.href === `${url?.origin}/`;
}

/**
 * The sentence that asks for the public URL; null where it is set or not needed. Links leave this machine with
 * mails and alert webhooks. Only `npm start` on loopback knows their beginning without being told, because
 * people use it on the machine itself.
 */
export function missingPublicUrl(
  isNpmStart: boolean,
  values: {
    MILLRACE_PUBLIC_URL?: string | undefined;
    MILLRACE_HOST: string;
    SMTP_URL?: string | undefined;
    MILLRACE_ALERT_WEBHOOK?: string | undefined;
  },
): string | null {
  const { SMTP_URL, MILLRACE_ALERT_WEBHOOK } = values;
  if (values.MILLRACE_PUBLIC_URL !== undefined) return null;
  if (SMTP_URL === undefined && MILLRACE_ALERT_WEBHOOK === undefined) return null;
  if (isNpmStart && isLoopback(values.MILLRACE_HOST)) return null;
  const needs = SMTP_URL === undefined ? 'MILLRACE_ALERT_WEBHOOK' : 'SMTP_URL';
  return `MILLRACE_PUBLIC_URL must be set when ${needs} is set: it is the URL at which people open the console, such as https://millrace.example.com, and links in alerts begin with it.`;
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/u.test(name);
}
