import type { Context } from 'hono';

import type { Commands } from '../consumers/commands.ts';
import type { Consumers } from '../consumers/consumers.ts';
import { newId } from '../db/ids.ts';
import type { Command } from '../rules/command.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';

/** A larger command is stored, and only its id goes through the workflow's history. */
const INLINE_BYTES = 8 * 1024;

/**
 * Gives a command to a consumer's workflow. Resolves once it is in force, with the number of entries that
 * it concerned, 0 if it counts none. Rejects with an `ApiError` when the workflow refuses.
 */
export type GiveCommand = (
  c: Context<AppEnv>,
  consumerId: string,
  verb: string,
  command: Command,
) => Promise<number>;

/**
 * Check first that the consumer exists. The id of a command with an `Idempotency-Key` ends with the id of its
 * request's seed: a repetition has the same one, and another request under that key has another.
 */
export function createGiveCommand(deps: { commands: Commands; consumers: Consumers }): GiveCommand {
  return async (c, consumerId, verb, command) => {
    const key = c.req.header('idempotency-key');
    const answer = await deps.commands.give(consumerId, {
      editId: key === undefined ? newId() : `${verb}:${c.var.caller.id}:${key}:${c.var.seed.id}`,
      actor: c.var.actor,
      command: await carried(deps.consumers, command),
    });
    if (!answer.ok) throw new ApiError(answer);
    return answer.count ?? 0;
  };
}

async function carried(consumers: Consumers, command: Command): Promise<Command> {
  if (Buffer.byteLength(JSON.stringify(command)) <= INLINE_BYTES) return command;
  return { kind: 'stored', id: await consumers.storeCommand(command) };
}
