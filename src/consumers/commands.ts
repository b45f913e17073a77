import type { Ask, Answer } from '../rules/command.ts';

/** How the API reaches a consumer's workflow. Throws `Unavailable` when Temporal or its workers do not answer. */
export interface Commands {
  ask(consumerId: string, ask: Ask): Promise<Answer>;
}

/** Temporal is away or no worker polls; the same ask may be repeated. */
export class Unavailable extends Error {
  override name = 'Unavailable';
}
