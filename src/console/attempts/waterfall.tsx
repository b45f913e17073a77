import type { AttemptTimings } from '../../schema/attemptTrace.ts';
import { durationText, stepsOf, wholeOf, type Step } from './steps.ts';

const COLOURS = { queue: 'bg-line-strong', way: 'bg-accent', endpoint: 'bg-warn' } as const;

/** How the time of an attempt was spent: a row for each step, with a bar from its beginning to its end. */
export function Waterfall({ timings }: { timings: AttemptTimings }) {
  const steps = stepsOf(timings);
  const whole = wholeOf(steps);
  return (
    <section>
      <h3 className="mb-1 font-medium">Where the time went</h3>
      <table className="w-full table-fixed" aria-label="Where the time went">
        <colgroup>
          <col className="w-44 sm:w-52" />
          <col className="w-20" />
          <col />
        </colgroup>
        <thead className="sr-only">
          <tr>
            <th>Step</th>
            <th>Duration</th>
            <th>Start and end</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <Row key={step.name} step={step} whole={whole} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ step, whole }: { step: Step; whole: number }) {
  const share = (ms: number): string => `${whole === 0 ? 0 : (ms / whole) * 100}%`;
  return (
    <tr title={step.about}>
      <th scope="row" className="text-left font-normal text-soft">
        {step.name}
      </th>
      <td className="pr-3 text-right tabular-nums">{durationText(step.ms)}</td>
      <td>
        <span className="sr-only">
          {`${step.about} It began after ${durationText(step.from)}.`}
        </span>
        <span aria-hidden className="block h-2 rounded bg-sunk">
          <span
            className={`block h-2 min-w-0.5 rounded ${COLOURS[step.of]}`}
            style={{ marginLeft: share(step.from), width: share(step.ms) }}
          />
        </span>
      </td>
    </tr>
  );
}
