import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import { createLoop } from '../process/loop.ts';
import type { AlertTest } from '../schema/alertTest.ts';
import type { Section } from './alertSections.ts';
import { claimTest, noteTested, type AskedTest } from './alertTests.ts';
import { htmlOf, textOf } from './alertText.ts';
import { moment } from './alertWords.ts';
import type { Mail, Send, Taken } from './mail.ts';
import { within } from './within.ts';

export interface TestSenderOptions {
  db: Pick<Db, 'query'>;
  listener: Listener;
  send: Send;
  /** Sends to the alert webhook; null: there is none. */
  sendWebhook: Send | null;
  /** The addresses of consumers that have none of their own. */
  alertEmails: readonly string[];
  /** The console's address, with which the link begins. */
  publicUrl: string;
  /** The name of this process, which the result shows. */
  holder: string;
  /** The pause between two checks without a hint, ms. */
  pollMs: number;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** How long each channel may take, ms. */
const TIMEOUT_MS = 15_000;
/** The largest length of a server's answer that is kept; answers may be long. */
const DETAIL = 500;

/**
 * Starts to send the test alerts that people request, over the same channels as alerts, once each and
 * immediately. Ends when it is disposed of; a test in progress then counts as failed.
 */
export function startTestSender(options: TestSenderOptions): AsyncDisposable {
  const { db, listener, log } = options;
  const underWay = new Set<Promise<void>>();
  const closing = new AbortController();
  const failed = (error: unknown): void => log.warn({ err: error }, 'a test alert failed');
  const loop = createLoop({ turn, failed });
  const timer = setInterval(loop.ask, options.pollMs);
  const deafen = listener.on(CHANNELS.alertTests, loop.ask);

  async function turn(): Promise<void> {
    for (;;) {
      const asked = await claimTest(db);
      if (asked === null) return;
      const one = carryOut(asked)
        .catch(failed)
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
  }

  async function carryOut(asked: AskedTest & { askedAt: string }): Promise<void> {
    const sections = [sectionOf(asked, options)];
    const [mail, webhook] = await Promise.all([
      testMail(asked, sections),
      testWebhook(asked, sections),
    ]);
    await noteTested(db, asked.id, { mail, webhook, sent_by: options.holder });
    log.info({ mail: mail.outcome, webhook: webhook.outcome }, 'a test alert was sent');
  }

  async function testMail(asked: AskedTest, sections: Section[]): Promise<AlertTest['mail']> {
    const to = asked.recipient === null ? [...options.alertEmails] : [asked.recipient];
    if (to.length === 0) return { outcome: 'not_set', to, detail: NOBODY, duration_ms: 0 };
    const mail: Mail = {
      ...messageOf(asked, sections),
      channel: 'mail',
      message_id: `<test.${asked.id}@millrace>`,
      recipients: to,
      body: textOf(sections),
      html: htmlOf(sections),
    };
    const { taken, error, duration_ms } = await trySending(options.send, mail);
    if (error !== null) return { outcome: 'failed', to, detail: error, duration_ms };
    if (taken?.isFile === true) return { outcome: 'written', to, detail: NO_SERVER, duration_ms };
    const refused = taken?.refused ?? [];
    if (refused.length === 0) return { outcome: 'accepted', to, detail: null, duration_ms };
    const detail = `The mail server refused ${refused.join(', ')}`;
    return { outcome: 'failed', to, detail, duration_ms };
  }

  async function testWebhook(
    asked: AskedTest & { askedAt: string },
    sections: Section[],
  ): Promise<AlertTest['webhook']> {
    const { sendWebhook } = options;
    if (sendWebhook === null) {
      return { outcome: 'not_set', status: null, detail: NO_WEBHOOK, duration_ms: 0 };
    }
    const alert = {
      id: asked.id,
      kind: 'test',
      at: asked.askedAt,
      reason: sections[0]?.lead,
      url: sections[0]?.link?.url,
    };
    const { taken, error, duration_ms } = await trySending(sendWebhook, {
      ...messageOf(asked, sections),
      channel: 'webhook',
      message_id: asked.id,
      recipients: [],
      body: JSON.stringify({ alert }),
      html: null,
    });
    const outcome = error === null ? 'accepted' : 'failed';
    return { outcome, status: taken?.status ?? null, detail: error, duration_ms };
  }

  async function trySending(send: Send, mail: Mail): Promise<Tried> {
    const from = performance.now();
    const took = (): number => Math.round(performance.now() - from);
    try {
      const taken = await within(send, mail, AbortSignal.timeout(TIMEOUT_MS), closing.signal);
      return { taken: taken ?? null, error: null, duration_ms: took() };
    } catch (error) {
      const why = error instanceof Error ? error.message : 'failed';
      const { status } = error as { status?: number };
      const taken = status === undefined ? null : { status };
      return { taken, error: why.slice(0, DETAIL), duration_ms: took() };
    }
  }

  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      deafen();
      closing.abort();
      await loop.close();
      await Promise.all(underWay);
    },
  };
}

interface Tried {
  taken: Taken | null;
  error: string | null;
  duration_ms: number;
}

const NOBODY =
  'MILLRACE_ALERT_EMAIL is not set for the workers: alerts about consumers without addresses of their own are not mailed to anyone. Set it, or give an address to test with.';
const NO_SERVER =
  'SMTP_URL is not set for the workers: the mail was not sent, but written to the outbox folder of MILLRACE_DATA_DIR.';
const NO_WEBHOOK = 'MILLRACE_ALERT_WEBHOOK is not set for the workers.';

function messageOf(
  { id }: AskedTest,
  sections: Section[],
): Pick<Mail, 'id' | 'kind' | 'items' | 'subject' | 'headers' | 'attempts' | 'sections'> {
  return {
    id,
    kind: null,
    items: [],
    subject: 'Test alert from Millrace',
    headers: { 'X-Millrace-Alert': 'test' },
    attempts: 1,
    sections,
  };
}

function sectionOf(
  { actor, askedAt }: AskedTest & { askedAt: string },
  { holder, publicUrl }: Pick<TestSenderOptions, 'holder' | 'publicUrl'>,
): Section {
  return {
    lead: 'This is a test alert. Nothing has happened.',
    link: { before: 'See the settings:', url: `${publicUrl}/settings`, label: 'Open the settings' },
    facts: [
      ['Requested by', actor],
      ['At', moment(askedAt)],
      ['Sent by', `worker ${holder}`],
    ],
    next: [
      'Alerts are sent the same way, each with one link. If the link above opens the console, the links in alerts work as well. No action is needed.',
    ],
    commands: [],
  };
}
