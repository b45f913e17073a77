import { useState } from 'react';

import { late } from '../late.tsx';
import { Button } from '../ui/button.tsx';
import { Panel } from '../ui/panel.tsx';
import type { ConditionProps } from './conditionField.tsx';

const ConditionField = late(
  'the editor',
  async () => (await import('./conditionField.tsx')).ConditionField,
);

/** The condition of a filter beside its lists. Its editor is loaded once there is a condition to edit. */
export function ConditionPanel(props: ConditionProps) {
  const { where, onChange } = props;
  // The button that adds or removes the condition is gone then: the focus goes on to what took its place.
  const [isTouched, setTouched] = useState(false);
  const change = (to: string | null): void => {
    setTouched(true);
    onChange(to);
  };
  return (
    <Panel
      title="Condition"
      actions={
        where !== null && (
          <Button kind="quiet" onClick={() => change(null)}>
            Remove condition
          </Button>
        )
      }
    >
      {where === null ? (
        <>
          <p className="text-soft">
            No condition: every entry that passes the lists is sent. Add one to send only entries
            with certain data, such as an amount above a limit.
          </p>
          <div>
            <Button autoFocus={isTouched} onClick={() => change('')}>
              Add a condition
            </Button>
          </div>
        </>
      ) : (
        <ConditionField {...props} where={where} isNew={isTouched} />
      )}
    </Panel>
  );
}
