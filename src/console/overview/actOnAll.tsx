import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import type { Consumer, ConsumerStatus } from '../../schema/consumer.ts';
import type { Trouble } from '../../schema/overview.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { MendLink } from '../consumers/mendLink.tsx';
import { testText } from '../targets/testText.ts';
import { useToasts } from '../ui/toast.tsx';
import { AskForAll } from './askForAll.tsx';
import { consumersOf, everyConsumer, type EveryVerb } from './everyOne.ts';
import { isIn, WORDS } from './trouble.ts';

/** The actions for a trouble: commands for all consumers that have it or for its target, and a test of the target. */
export function TroubleActs({ trouble }: { trouble: Trouble }) {
  const [verb, setVerb] = useState<EveryVerb | null>(null);
  const { status, code, target_id: targetId, consumer_id: consumerId } = trouble;
  const verbs: EveryVerb[] = status === 'stopped' ? ['resume'] : ['retry', 'pause'];
  const buttons = verbs.map((one) => (
    <ActButton key={one} needs="manage" onClick={() => setVerb(one)}>
      {trouble.consumers === 1 ? WORDS[one].one : WORDS[one].button}
    </ActButton>
  ));
  return (
    <div className="flex flex-wrap gap-2">
      {status === 'cannot_start' && code !== null && (
        <MendLink code={code} targetId={targetId} consumerId={consumerId} />
      )}
      {buttons.slice(0, 1)}
      <TestButton trouble={trouble} />
      {buttons.slice(1)}
      {verb !== null && (
        <AskForAll
          verb={verb}
          target={{ id: targetId, name: trouble.target_name }}
          isSingle={trouble.consumers === 1}
          find={() => concerned(verb, trouble)}
          onClose={() => setVerb(null)}
        />
      )}
    </div>
  );
}

function TestButton({ trouble }: { trouble: Trouble }) {
  const toasts = useToasts();
  const test = useMutation({
    mutationFn: async () => {
      const { target_id: id } = trouble;
      const [tested, consumers] = await Promise.all([
        api.targets.test(id),
        everyConsumer({ target_id: id }),
      ]);
      return { outcome: tested.outcome, text: testText(tested, consumers) };
    },
    onSuccess: ({ outcome, text }) => {
      if (outcome === 'delivered') toasts.done(text);
      else toasts.failed(text);
    },
    onError: toasts.refused,
  });
  return (
    <ActButton needs="manage" busy={test.isPending} onClick={() => test.mutate()}>
      Test
    </ActButton>
  );
}

/** The statuses that consumers may have which are in the trouble. */
const STATUSES: Record<Trouble['status'], ConsumerStatus[]> = {
  stopped: ['stopped'],
  cannot_start: ['active', 'blocked'],
  blocked: ['blocked'],
};

/** Those that have the trouble; all that send when the target of several is to be left alone. */
async function concerned(verb: EveryVerb, trouble: Trouble): Promise<Consumer[]> {
  if (verb === 'pause' && trouble.consumers > 1) {
    return consumersOf(trouble.target_id, ['active', 'blocked']);
  }
  const all = await consumersOf(trouble.target_id, STATUSES[trouble.status]);
  return all.filter((consumer) => isIn(trouble, consumer));
}
