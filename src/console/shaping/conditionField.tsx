import type { StreamName } from '../../schema/stream.ts';
import { CONDITIONS } from './examples.ts';
import type { ExpressionFault } from './expressionFault.ts';
import { ExpressionField } from './expressionField.tsx';
import { Variables } from './variables.tsx';

export interface ConditionProps {
  stream: StreamName;
  /** The condition; null: none. */
  where: string | null;
  onChange: (where: string | null) => void;
  fault: ExpressionFault | null;
  /** What else is wrong with it. */
  error?: string | undefined;
}

/** The editor of a condition. */
export function ConditionField(
  props: ConditionProps & {
    where: string;
    /** Whether it was added just now, and has the focus. */
    isNew: boolean;
  },
) {
  const { stream, where, onChange, fault, error, isNew } = props;
  return (
    <>
      <p className="text-soft">
        An expression in CEL that has to be true for an entry to be sent, in addition to the lists.{' '}
        <Variables stream={stream} /> An entry for which it can't be evaluated, for example because
        a field is missing, is not sent.{' '}
        <a
          href="/docs/filters#a-condition-on-the-data"
          target="_blank"
          rel="noreferrer"
          className="underline"
        >
          All that a condition can say
        </a>
      </p>
      <ExpressionField
        label="Condition"
        autoFocus={isNew}
        value={where}
        onChange={onChange}
        fault={fault}
        error={error}
        hint={
          where.trim() === ''
            ? 'Empty: no condition'
            : 'Tried on the newest entries while you write'
        }
        examples={CONDITIONS[stream]}
      />
    </>
  );
}
