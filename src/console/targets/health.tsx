import { useQuery } from '@tanstack/react-query';

import type { Target } from '../../schema/target.ts';
import { api } from '../api.ts';
import { keyOf } from '../overview/trouble.ts';
import { Group } from '../overview/troubles.tsx';
import { Failed, Hint } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { amount } from '../words.ts';
import { consumersText, ownNotes } from './healthText.ts';

const EVERY_MS = 5_000;

/** How a target is, in words: what its consumers do, and each cause of their failures with since when and until when. */
export function TargetHealth({ target }: { target: Target }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['troubles', target.id],
    queryFn: () => api.targets.troubles(target.id),
    refetchInterval: EVERY_MS,
  });
  const more = data === undefined ? 0 : data.total - data.data.length;
  return (
    <Panel title="Health">
      <p>{consumersText(target)}</p>
      {ownNotes(target).map((note) => (
        <Hint key={note} tone="bad">
          <Sentence text={note} at={target.health.time} />
        </Hint>
      ))}
      {error !== null && data === undefined && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data !== undefined && data.data.length > 0 && (
        <ul aria-label="Troubles" className="flex flex-col divide-y divide-line">
          {data.data.map((trouble) => (
            <Group key={keyOf(trouble)} trouble={trouble} isOfPage />
          ))}
        </ul>
      )}
      {more > 0 && <p className="text-soft">and {amount(more, 'further cause')}</p>}
    </Panel>
  );
}
