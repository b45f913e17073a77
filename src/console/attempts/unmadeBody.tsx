import { useQuery } from '@tanstack/react-query';

import { api, type Attempt } from '../api.ts';
import { Hint } from '../ui/notice.tsx';

/** So many parked entries are looked through for the one of the attempt. */
const LOOKED_AT = 1_000;

/** Why no body could be made in an attempt, as long as its entry is parked, and what to do. */
export function UnmadeBody({ attempt }: { attempt: Attempt }) {
  const { consumer_id: id, position } = attempt;
  const { data: why } = useQuery({
    queryKey: ['unmade', id, position],
    queryFn: async () => {
      const { data } = await api.consumers.parked(id, { limit: LOOKED_AT });
      const failure = data.find((one) => one.position === position)?.last_failure;
      return failure?.code === 'BODY_FAILED' ? failure.detail : null;
    },
  });
  return (
    <Hint tone="bad">
      Nothing was sent: no body could be made of this entry
      {why == null ? '' : `, as ${why}`}. Mend the body in the settings of the consumer.
    </Hint>
  );
}
