import { useRef, type ReactNode } from 'react';

import { Button } from '../ui/button.tsx';
import { AreaField } from '../ui/field.tsx';
import type { Example } from './examples.ts';
import { markedLine, type ExpressionFault } from './expressionFault.ts';

const ROWS = { least: 3, most: 12 };

/**
 * An expression: a text area, examples that are put in where the cursor is, and the place at which the expression is
 * wrong.
 */
export function ExpressionField(props: {
  label: string;
  value: string;
  onChange: (text: string) => void;
  /** Where it is wrong; null: nowhere, as far as is known. */
  fault: ExpressionFault | null;
  /** What else is wrong with it. */
  error?: string | undefined;
  hint: ReactNode;
  examples: readonly Example[];
  autoFocus?: boolean;
}) {
  const { label, value, onChange, fault, error, hint, examples, autoFocus = false } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const insert = (expression: string): void => {
    const { selectionStart = value.length, selectionEnd = value.length } = area.current ?? {};
    onChange(value.slice(0, selectionStart) + expression + value.slice(selectionEnd));
    area.current?.focus();
  };
  const lines = value.split('\n').length + 1;
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <AreaField
        ref={area}
        autoFocus={autoFocus}
        label={label}
        rows={Math.min(Math.max(lines, ROWS.least), ROWS.most)}
        autoCapitalize="off"
        autoCorrect="off"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        hint={hint}
        error={
          fault === null ? error : `Line ${fault.line}, column ${fault.column}: ${fault.detail}`
        }
      />
      {/* It is there before anything is wrong, so that what is said then is read out. */}
      <div role="status" className="empty:hidden">
        {fault !== null && (
          <Place label={label} fault={fault} onGo={(from, to) => select(area.current, from, to)} />
        )}
      </div>
      <Examples examples={examples} onChoose={insert} />
    </div>
  );
}

/** The line that is wrong, with the place marked. */
function Place(props: {
  label: string;
  fault: ExpressionFault;
  onGo: (from: number, to: number) => void;
}) {
  const { label, fault, onGo } = props;
  const { before, marked, after, from, to } = markedLine(fault);
  return (
    <div className="flex flex-wrap items-center gap-2">
      <p className="sr-only">
        {label} is wrong in line {fault.line}, column {fault.column}.
      </p>
      <code
        data-place
        className="foreign min-w-0 flex-1 basis-full rounded-md sm:basis-0 border border-bad bg-panel px-2 py-1 whitespace-pre-wrap"
      >
        <span aria-hidden className="mr-2 text-soft select-none">
          {fault.line}
        </span>
        {before}
        <mark className="rounded-sm bg-bad-soft text-bad underline decoration-wavy decoration-1 underline-offset-4">
          {marked === '' ? '\u00a0\u00a0' : marked}
        </mark>
        {after}
      </code>
      <Button kind="quiet" onClick={() => onGo(from, to)}>
        Go to this place
      </Button>
    </div>
  );
}

function select(area: HTMLTextAreaElement | null, from: number, to: number): void {
  area?.focus();
  area?.setSelectionRange(from, to);
}

function Examples(props: { examples: readonly Example[]; onChoose: (expression: string) => void }) {
  return (
    <ul aria-label="Examples" className="flex flex-col gap-1">
      {props.examples.map(({ expression, means }) => (
        <li key={expression} className="flex flex-wrap items-baseline gap-x-2">
          <button
            type="button"
            title="Insert this example"
            onClick={() => props.onChoose(expression)}
            className="foreign rounded bg-sunk px-1.5 py-0.5 text-left font-mono text-xs hover:text-accent hover:underline"
          >
            {expression}
          </button>
          <span className="text-soft">{means}</span>
        </li>
      ))}
    </ul>
  );
}
