import type { UseQueryResult } from '@tanstack/react-query';

import type { Target } from '../../schema/target.ts';
import { ZONE_WORDS } from '../dateField.ts';
import { useZone } from '../settings.ts';
import { Condition } from '../shaping/conditionText.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { listed } from '../words.ts';
import { conditionOf } from './filterDelta.ts';
import { ORDERINGS } from './orderings.ts';
import type { CheckedProps } from './steps.tsx';

/** A target as the query library knows it, or how far its reading is. */
export type AskedTarget = Pick<UseQueryResult<Target>, 'data' | 'error' | 'refetch'>;

const STARTS = { end: 'new entries only', beginning: 'the oldest entry that is kept' };

/**
 * Asks for the name, which is proposed, and shows once more what the consumer will do. The proposal has the target's
 * name in it, so no field is shown before that has been read: otherwise it would change while a person types.
 */
export function SaveStep(props: CheckedProps & { target: AskedTarget }) {
  const { target } = props;
  if (target.data !== undefined) return <Fields {...props} target={target.data} />;
  if (target.error === null) return <Loading what="the target" />;
  return <Failed error={target.error} again={() => void target.refetch()} />;
}

function Fields(props: CheckedProps & { target: Target }) {
  const { draft, onChange, errorAt, target } = props;
  const zone = useZone();
  return (
    <>
      <TextField
        label="Name"
        required
        autoFocus
        value={draft.name}
        onChange={(event) => onChange({ name: event.target.value })}
        error={errorAt('/name')}
      />
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
        <TextField
          label="Path (optional)"
          value={draft.path}
          onChange={(event) => onChange({ path: event.target.value })}
          hint="Appended to the target's base URL; begins with /"
          error={errorAt('/path')}
        />
        <SelectField
          label="Order"
          value={draft.ordering}
          onChange={(ordering) => onChange({ ordering })}
          options={ORDERINGS}
        />
      </div>
      <Facts
        facts={[
          ['Sends to', `${target.name} (${target.base_url}${draft.path})`],
          ['Stream', draft.stream],
          ['Syncs', listed(draft.syncs, 4)],
          ['Collections', listed(draft.collections, 4)],
          [
            'Event types',
            draft.stream === 'records' ? 'do not apply' : listed(draft.event_types, 4),
          ],
          ['Condition', <Condition key="where" text={conditionOf(draft)} />],
          [
            'Start position',
            draft.start === 'time'
              ? `${draft.start_at.replace('T', ' ')}, ${ZONE_WORDS[zone]}`
              : STARTS[draft.start],
          ],
        ]}
      />
    </>
  );
}
