import { findProbe, type HeadRequest } from '../failure/headSearch.ts';
import type { Failed } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import { attemptNumber, failureOf, isInForce, type AttemptScene } from './attemptScene.ts';
import type { Tried } from './singleSender.ts';

/**
 * What a probe shows. `takes`: the endpoint takes another record's entry. `fails`: it fails that one
 * as well. `nothing`: no other record waits, or the attempt was cancelled. `again`: the consumer has
 * changed meanwhile, so it has to be looked up once more.
 */
export type Probe = { said: 'takes' | 'nothing' | 'again' } | { said: 'fails'; failed: Failed };

/**
 * Probes an endpoint that has failed the head with an entry of another record, which tells a poisoned
 * message from a failing endpoint. A success is stored, together with the head's failure.
 */
export async function probeEndpoint(
  scene: AttemptScene,
  request: HeadRequest,
  head: Entry,
  tried: Tried,
): Promise<Probe> {
  const { context, schedule, sender, config } = scene;
  const entry = await findProbe(request, head, sender.lease.tries);
  if (entry === null) return { said: 'nothing' };
  const attempt = await attemptNumber(scene, entry);
  if (!(await isInForce(scene))) {
    if (schedule.cancelled.aborted) return { said: 'nothing' }; // the head has failed all the same
    sender.note(config, tried, null);
    await sender.commit(null);
    return { said: 'again' };
  }
  const probed = await sender.send(config, entry, attempt);
  const failed = await failureOf(scene, probed);
  sender.note(config, probed, null);
  if (failed !== null) return { said: 'fails', failed };
  sender.note(config, tried, null);
  sender.settle(entry.position);
  await sender.commit(null);
  const { position } = entry;
  context.log.info({ consumer_id: config.consumerId, position }, 'a probe succeeded');
  return { said: 'takes' };
}
