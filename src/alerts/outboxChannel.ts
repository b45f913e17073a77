import type { Logger } from 'pino';

import type { Db, Sql } from '../db/db.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { createLoop } from '../process/loop.ts';
import { createChannelPace } from './channelPace.ts';
import { isRefusal, type Mail, type Send } from './mail.ts';
import {
  claimAlike,
  claimMail,
  dropMail,
  nextMailInMs,
  noteFailed,
  noteSent,
  rewriteMail,
} from './outboxRows.ts';
import { isOfSource } from './sourceItem.ts';
import { sourceStillTrue, stillTrue } from './stillTrue.ts';
import { within } from './within.ts';
import { leaveOutOfMail } from './writeAlert.ts';

/** How many alerts of one channel a process hands over at once. */
const SLOTS = 4;
/** How long messages in progress may take once the outbox is to end, ms. */
const CLOSE_MS = 5_000;

/** What a channel needs. */
export interface ChannelOptions {
  db: Db;
  channel: Mail['channel'];
  send: Send;
  /** The pause between two checks without a hint, ms. */
  pollMs: number;
  /** How long one attempt may take, ms. */
  attemptMs: number;
  log: Logger;
}

/** Sends what is in the outbox for one channel until it is disposed of. */
export interface Channel extends AsyncDisposable {
  /** Makes it look immediately. */
  hint(): void;
}

/** Starts to send what is in the outbox for one channel, several at once, without waiting for other channels. */
export function startChannel(options: ChannelOptions): Channel {
  const { db, channel, log } = options;
  const pace = createChannelPace({ slots: SLOTS });
  const underWay = new Set<Promise<void>>();
  const closing = new AbortController();
  let soon: NodeJS.Timeout | undefined;
  const failed = (error: unknown): void =>
    log.warn({ err: error, channel }, 'the outbox could not be read; trying again');
  const loop = createLoop({ turn: fill, failed });
  const timer = setInterval(loop.ask, options.pollMs);

  /** Claims due messages until there are none, or as many are in progress as may be. */
  async function fill(): Promise<void> {
    clearTimeout(soon);
    while (!closing.signal.aborted && underWay.size < pace.slots(performance.now())) {
      const claimed = await claim();
      if (claimed === null) {
        askIn(await nextMailInMs(db, channel));
        return;
      }
      if (claimed.toSend === null) continue;
      const one = handOver(claimed.toSend)
        .catch(failed)
        .finally(() => {
          underWay.delete(one);
          loop.ask();
        });
      underWay.add(one);
    }
    askIn(pace.waitMs(performance.now()) || Infinity); // otherwise one in progress asks when it ends
  }

  /**
   * Claims the message that is due first, and decides in the same transaction what it reports: whether a
   * recovery is reported depends on what became of its warning. Null when nothing is due.
   */
  async function claim(): Promise<{ toSend: Mail | null } | null> {
    try {
      return await db.transaction(async (sql) => {
        const mail = await claimMail(sql, channel);
        if (mail === null) return null;
        return { toSend: await asItStands(sql, await gathered(sql, mail)) };
      });
    } catch (error) {
      if (isDatabaseAway(error)) throw error;
      failed(error);
      return (await claimMail(db, channel)) && { toSend: null }; // so that it holds up no others for now
    }
  }

  /** The message together with other due ones that it can report, each consumer once, by its newest alert. */
  async function gathered(sql: Sql, mail: Mail): Promise<Mail> {
    const { gathers = 1 } = options.send;
    const others = gathers > 1 ? await claimAlike(sql, mail, gathers - 1) : [];
    if (others.length === 0) return mail;
    const items = [mail, ...others].flatMap((one) => one.items);
    const newest = new Map(items.map((item) => [item.consumer_id, item]));
    return { ...mail, items: [...newest.values()], told: [mail, ...others].map(({ id }) => id) };
  }

  /** Plans a check before the next regular one. */
  function askIn(ms: number): void {
    if (ms < options.pollMs) soon = setTimeout(loop.ask, Math.max(1, ms));
  }

  async function handOver(mail: Mail): Promise<void> {
    const { subject, message_id, recipients } = mail;
    try {
      await within(options.send, mail, AbortSignal.timeout(options.attemptMs), closing.signal);
    } catch (error) {
      await noteFailure(mail, error);
      return;
    }
    pace.answered();
    const ids = mail.told ?? [mail.id];
    await noteSent(db, ids);
    const what = { channel, subject, message_id, recipients: recipients.length };
    log.info({ ...what, alerts: ids.length }, 'alert sent');
  }

  /**
   * The mail without what is no longer true; null when nothing is left. Webhooks report what happened, and are
   * not changed.
   */
  async function asItStands(sql: Sql, mail: Mail): Promise<Mail | null> {
    if (channel === 'webhook') return mail;
    if (mail.kind !== null && isOfSource(mail.kind)) {
      return (await sourceStillTrue(sql, mail)) ? mail : drop(sql, mail);
    }
    const items = await stillTrue(sql, mail);
    if (items.length === mail.items.length) return mail;
    if (items.length > 0) {
      const stay = new Set(items.map((item) => item.consumer_id));
      const left = mail.items.map((item) => item.consumer_id).filter((id) => !stay.has(id));
      // After an attempt it may have reported them.
      if (mail.attempts === 1) await leaveOutOfMail(sql, mail.message_id, left);
      return rewriteMail(sql, mail, items);
    }
    return drop(sql, mail);
  }

  async function drop(sql: Sql, { id, subject, message_id }: Mail): Promise<null> {
    await dropMail(sql, id);
    log.info(
      { channel, subject, message_id },
      'an alert was not sent: nothing in it is true any more',
    );
    return null;
  }

  async function noteFailure(mail: Mail, error: unknown): Promise<void> {
    const { subject, message_id } = mail;
    if (isRefusal(error)) pace.answered();
    else if (!closing.signal.aborted) pace.failed(performance.now());
    const waitSeconds = Math.min(3600, 5 * 2 ** (mail.attempts - 1));
    const givenUp = await noteFailed(db, mail.told ?? [mail.id], {
      error: error instanceof Error ? error.message : 'failed',
      waitSeconds,
    });
    const what = { err: error, channel, subject, message_id };
    if (givenUp) log.error(what, 'an alert could not be sent for a day; giving up');
    else log.warn({ ...what, again_in_s: waitSeconds }, 'an alert could not be sent; trying again');
  }

  return {
    hint: loop.ask,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      const cut = setTimeout(() => closing.abort(), CLOSE_MS);
      await loop.close();
      clearTimeout(soon);
      await Promise.all(underWay);
      clearTimeout(cut);
    },
  };
}
