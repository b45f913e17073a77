import { useState } from 'react';

import type { ConsumerStatus } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { ActButton } from '../act.tsx';
import { AskForAll } from '../overview/askForAll.tsx';
import { consumersOf, type EveryVerb } from '../overview/everyOne.ts';
import { WORDS } from '../overview/trouble.ts';

/** The statuses that each command concerns. */
export const CONCERNS: Record<EveryVerb, readonly ConsumerStatus[]> = {
  retry: ['blocked'],
  resume: ['stopped', 'paused'],
  pause: ['active', 'blocked'],
};

/** The commands that mend what is wrong with consumers, the one for what is worst first. */
function mending({ stopped, blocked }: Target['consumers']): EveryVerb[] {
  return [
    ...(stopped > 0 ? (['resume'] as const) : []),
    ...(blocked > 0 ? (['retry'] as const) : []),
  ];
}

/**
 * The commands for all consumers of a target together, as long as they concern any: those that mend what is wrong
 * with them, of which the first is the main button, or the others.
 */
export function TargetActs({ target, which }: { target: Target; which: 'mending' | 'others' }) {
  const [verb, setVerb] = useState<EveryVerb | null>(null);
  const { consumers } = target;
  const mends = mending(consumers);
  const others = (Object.keys(CONCERNS) as EveryVerb[]).filter(
    (one) => !mends.includes(one) && CONCERNS[one].some((status) => consumers[status] > 0),
  );
  const verbs = which === 'mending' ? mends : others;
  return (
    <>
      {verbs.length > 0 && (
        <div className="flex flex-wrap gap-2">
          {verbs.map((one, index) => (
            <ActButton
              key={one}
              needs="manage"
              kind={which === 'mending' && index === 0 ? 'main' : 'plain'}
              onClick={() => setVerb(one)}
            >
              {WORDS[one].button}
            </ActButton>
          ))}
        </div>
      )}
      {verb !== null && (
        <AskForAll
          verb={verb}
          target={target}
          isSingle={false}
          find={() => consumersOf(target.id, CONCERNS[verb])}
          onClose={() => setVerb(null)}
        />
      )}
    </>
  );
}
