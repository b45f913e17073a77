import { useState } from 'react';

import type { ConsumerBody } from '../../schema/body.ts';
import type { StreamName } from '../../schema/stream.ts';
import { ChoiceCard } from '../ui/choiceCard.tsx';
import { AreaField } from '../ui/field.tsx';
import { blankBody, MODES } from './bodies.ts';
import { BODIES } from './examples.ts';
import type { ExpressionFault } from './expressionFault.ts';
import { ExpressionField } from './expressionField.tsx';
import { Variables } from './variables.tsx';

interface Props {
  stream: StreamName;
  body: ConsumerBody;
  onChange: (body: ConsumerBody) => void;
  /** Where the expression is wrong. */
  fault: ExpressionFault | null;
  errorAt: (pointer: string) => string | undefined;
}

/** Chooses what a request carries of an entry. What was filled in for a kind is there again when it is chosen again. */
export function BodyField(props: Props) {
  const { body, onChange } = props;
  const [others, setOthers] = useState<readonly ConsumerBody[]>([]);
  const choose = (mode: ConsumerBody['mode']): void => {
    setOthers([...others.filter((one) => one.mode !== body.mode), body]);
    onChange(others.find((one) => one.mode === mode) ?? blankBody(mode));
  };
  return (
    <fieldset className="flex min-w-0 flex-col gap-3">
      <legend className="mb-1 font-semibold">Body</legend>
      <p className="text-soft">
        What is sent of each entry. A change applies immediately, also to retries and parked
        entries.{' '}
        <a href="/docs/shaping" target="_blank" rel="noreferrer" className="underline">
          About bodies
        </a>
      </p>
      <div className="grid grid-cols-1 gap-2 sm:grid-cols-2 xl:grid-cols-3">
        {MODES.map(({ mode, title, text }) => (
          <ChoiceCard
            key={mode}
            name="body"
            title={title}
            text={text}
            checked={body.mode === mode}
            onChoose={() => choose(mode)}
          />
        ))}
      </div>
      <Chosen {...props} />
    </fieldset>
  );
}

/** What the chosen kind has to know. */
function Chosen({ stream, body, onChange, fault, errorAt }: Props) {
  if (body.mode === 'fields') {
    return (
      <AreaField
        label="Pointers"
        rows={Math.min(Math.max(body.pointers.length + 1, 3), 12)}
        placeholder={'/data/email\n/data/address/city'}
        value={body.pointers.join('\n')}
        onChange={(event) => onChange({ ...body, pointers: linesOf(event.target.value) })}
        hint={`JSON pointers to what is kept, one per line: /data/email${stream === 'events' ? ', /changes/email' : ''}, or /data for all of it`}
        error={errorAt('/body/pointers')}
      />
    );
  }
  if (body.mode !== 'map') return null;
  return (
    <>
      <p className="text-soft">
        An expression in CEL whose result is sent as JSON. <Variables stream={stream} /> An entry
        for which it has no result is not sent, but parked.
      </p>
      <ExpressionField
        label="Expression"
        value={body.expression}
        onChange={(expression) => onChange({ ...body, expression })}
        fault={fault}
        error={errorAt('/body/expression')}
        hint="Its result is what is signed and sent"
        examples={BODIES[stream]}
      />
    </>
  );
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}
