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

/** The commands for all consumers of a target together, as long as they concern any. */
export function TargetActs({ target }: { target: Target }) {
  const [verb, setVerb] = useState<EveryVerb | null>(null);
  const verbs = (Object.keys(CONCERNS) as EveryVerb[]).filter((one) =>
    CONCERNS[one].some((status) => target.consumers[status] > 0),
  );
  const isFailing = target.consumers.blocked > 0 || target.consumers.stopped > 0;
  return (
    <>
      {verbs.map((one, index) => (
        <ActButton
          key={one}
          needs="manage"
          kind={isFailing && index === 0 ? 'main' : 'plain'}
          onClick={() => setVerb(one)}
        >
          {WORDS[one].button}
        </ActButton>
      ))}
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
