import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import type { Trouble } from '../../schema/overview.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { useToasts } from '../ui/toast.tsx';
import { number } from '../words.ts';
import { AskForAll } from './askForAll.tsx';
import { consumersOf, type EveryVerb } from './everyOne.ts';
import { isIn, WORDS } from './trouble.ts';

/** The actions for a trouble: commands for all consumers that have it or for its target, and a test of the target. */
export function TroubleActs({ trouble }: { trouble: Trouble }) {
  const [verb, setVerb] = useState<EveryVerb | null>(null);
  const verbs: EveryVerb[] =
    trouble.status === 'stopped'
      ? ['resume']
      : trouble.status === 'blocked'
        ? ['retry', 'pause']
        : [];
  const buttons = verbs.map((one) => (
    <ActButton key={one} needs="manage" onClick={() => setVerb(one)}>
      {trouble.consumers === 1 ? WORDS[one].one : WORDS[one].button}
    </ActButton>
  ));
  return (
    <div className="flex flex-wrap gap-2">
      {buttons.slice(0, 1)}
      <TestButton trouble={trouble} />
      {buttons.slice(1)}
      {verb !== null && (
        <AskForAll
          verb={verb}
          target={{ id: trouble.target_id, name: trouble.target_name }}
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
    mutationFn: () => api.targets.test(trouble.target_id),
    onSuccess: ({ outcome, status, detail, duration_ms }) => {
      const said = status === null ? (detail ?? 'no response') : `HTTP ${status}`;
      const text = `Test webhook to ${trouble.target_name}: ${outcome}, ${said}, ${number(duration_ms)} ms.`;
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

/** The consumers with the trouble; for a pause that concerns several, all that send to the target. */
async function concerned(verb: EveryVerb, trouble: Trouble): Promise<Consumer[]> {
  if (verb === 'pause' && trouble.consumers > 1) {
    return consumersOf(trouble.target_id, ['active', 'blocked']);
  }
  const all = await consumersOf(trouble.target_id, verb === 'resume' ? ['stopped'] : ['blocked']);
  return all.filter((consumer) => isIn(trouble, consumer));
}
