import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import type { Commands } from '../../src/consumers/commands.ts';
import { createPages } from '../../src/streams/pages.ts';
import { openConsumersApi, type ConsumersApi } from './consumers.ts';

/** Consumers whose commands are carried out at once, as their workflows do it. */
export async function openCommandedConsumers(): Promise<ConsumersApi> {
  let give: Commands['give'] = () => Promise.reject(new Error('not yet'));
  const opened = await openConsumersApi({ commands: { give: (...asked) => give(...asked) } });
  const commands = createCommandApplier({ db: opened.api.db, pages: createPages });
  give = (id, request) => commands.apply(id, request, new Date());
  return opened;
}
