import { RANGE_NAMES, type Range } from '../ranges.ts';

/** The choice of how far back charts go. */
export function RangeChoice(props: { value: Range; onChange: (range: Range) => void }) {
  return (
    <div role="group" aria-label="Time range" className="flex gap-1">
      {RANGE_NAMES.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === props.value}
          onClick={() => props.onChange(name)}
          className="min-h-7 rounded border border-line px-2 text-xs font-medium text-soft aria-pressed:border-accent aria-pressed:bg-accent-soft aria-pressed:text-accent"
        >
          {name}
        </button>
      ))}
    </div>
  );
}
