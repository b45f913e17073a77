import type { CommandRequest, CommandAnswer } from '../rules/command.ts';

/** Gives commands to consumers' workflows. Throws `Unavailable` when Temporal or its workers do not answer. */
export interface Commands {
  give(consumerId: string, ask: CommandRequest): Promise<CommandAnswer>;
}

/** Thrown when Temporal is away or no worker polls; the same command may be repeated. */
export class Unavailable extends Error {
  override name = 'Unavailable';
}
