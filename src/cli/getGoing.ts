import { setTimeout as wait } from 'node:timers/promises';

import type { Command } from 'commander';

import { ClientError } from '../api/client.ts';
import { effectOf } from '../rules/command.ts';
import type { Attempt } from '../schema/attempt.ts';
import type { Consumer } from '../schema/consumer.ts';
import { comeOf, notKnown, standing, type Seen, type Verdict } from './comeOf.ts';
import { consumerFields, nextStep, statusOf, windowOf } from './consumerView.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { findConsumer } from './find.ts';
import { printable } from './table.ts';
import { seconds } from './values.ts';

/** The flags of `millrace retry` and `millrace consumers resume`. */
export interface WaitFlags {
  wait: boolean;
  timeout?: number;
}

/** How long these commands wait by default, s. */
const TIMEOUT_S = 30;
const LOOK_MS = 500;
const MOST_ATTEMPTS = 1_000;

/** The commands that make a consumer send now. */
type GoVerb = 'retry' | 'resume';

/** Adds the flags that say whether and how long to wait. */
export function withWait(command: Command): Command {
  return command
    .option('--no-wait', 'do not wait for the outcome; exit 0 once the command is recorded')
    .option('--timeout <duration>', `wait at most this long (default: ${TIMEOUT_S}s)`, seconds);
}

/**
 * Gives a consumer `retry` or `resume`, waits until an attempt was made, and prints the outcome. Returns exit
 * code 0 when the attempt delivered or nothing waits, 1 when it failed or none was made in time. A `resume` that
 * changes nothing waits for nothing, and says in which state the consumer is.
 */
export async function getGoing(
  context: Context,
  consumer: string,
  verb: GoVerb,
  flags: WaitFlags,
): Promise<number> {
  const { client, out } = context;
  const id = await findConsumer(client, consumer);
  const before = await client.consumers.get(id);
  const answered = await give(context, before, verb);
  const stands = effectOf(before.status, verb) === 'nothing' ? standing(answered) : null;
  if (stands === null && !flags.wait) {
    out.thing(answered, consumerFields(answered, await windowOf(client, answered)));
    return EXIT.ok;
  }
  const { verdict, now } =
    stands === null
      ? await follow(context, { before, answered }, flags.timeout ?? TIMEOUT_S)
      : { verdict: stands, now: answered };
  out.endProgress();
  out.thing(now, consumerFields(now, await windowOf(client, now)));
  out.note(verdict.text);
  const next = verdict.ok ? null : nextStep(now);
  if (next !== null) out.note(next);
  return verdict.ok || !flags.wait ? EXIT.ok : EXIT.failed;
}

/** Gives the command. Rejects with a `CliError` that names `resume` where the consumer has to be resumed first. */
async function give({ client }: Context, before: Consumer, verb: GoVerb): Promise<Consumer> {
  try {
    return await client.consumers.command(before.id, verb);
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'wrong_status') throw error;
    const now = await client.consumers.get(before.id);
    const { id, name } = now;
    throw new CliError(
      EXIT.conflict,
      printable(`Consumer "${name}" is ${statusOf(now)}. It sends nothing until it is resumed`),
      `  Continue where it stopped: millrace consumers resume ${id}`,
      { cause: error },
    );
  }
}

async function follow(
  { client, out, signal }: Context,
  { before, answered }: Pick<Seen, 'before' | 'answered'>,
  timeoutS: number,
): Promise<{ verdict: Verdict; now: Consumer }> {
  const deadline = performance.now() + timeoutS * 1_000;
  const query = { since: before.health.time, limit: MOST_ATTEMPTS };
  let attempts: readonly Attempt[] = [];
  for (;;) {
    // In this order: the attempts at entries that are settled by now are among those that are read afterwards.
    const now = await client.consumers.get(answered.id);
    const { data } = await client.consumers.attempts(answered.id, query);
    const seen = { before, answered, now, attempts: data, isBusy: data.length > attempts.length };
    attempts = data;
    const verdict =
      comeOf(seen) ?? (performance.now() >= deadline ? notKnown(seen, timeoutS) : null);
    if (verdict !== null) return { verdict, now };
    out.progress('Waiting for the outcome');
    await wait(LOOK_MS, undefined, { signal });
  }
}
