/**
 * A workflow under the name of the consumer's that is ruder than it: its first run accepts a command
 * and ends without an answer; the next run answers at once. `resume` is refused by both. The task of a
 * consumer `broken` fails, again and again.
 */
import { HandlerUnfinishedPolicy } from '@temporalio/common';
import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';

import type { CommandAnswer, CommandRequest } from '../../src/rules/command.ts';
import type { ConsumerArgs } from '../../src/workflows/consumer.ts';

const ask = defineUpdate<CommandAnswer, [CommandRequest]>('ask');

export async function consumer(args: ConsumerArgs, isFirst = true): Promise<void> {
  if (args.consumerId.startsWith('broken')) throw new TypeError('no code expects this');
  let accepted = false;
  let refused = 0;
  async function onAsk({ command }: CommandRequest): Promise<CommandAnswer> {
    if (command.kind === 'resume') {
      refused += 1;
      throw ApplicationFailure.nonRetryable(`it has completed ${refused} time`);
    }
    accepted = true;
    await condition(() => !isFirst);
    return { ok: true, version: 7 };
  }
  setHandler(ask, onAsk, { unfinishedPolicy: HandlerUnfinishedPolicy.ABANDON });
  await condition(() => accepted && isFirst);
  await continueAsNew<typeof consumer>(args, false);
}
