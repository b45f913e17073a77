import type { Preview } from '../../schema/preview.ts';
import type { StreamName } from '../../schema/stream.ts';
import { prettyValue } from '../pretty.ts';
import type { PreviewState } from '../shaping/usePreview.ts';
import { ErrorText, Hint } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { amount, number } from '../words.ts';

interface Entry {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  event?: string;
  deleted?: boolean;
  position?: number;
  updated_idx?: number;
}

/** How many entries are listed. */
const MOST = 10;

/**
 * What a filter would have matched among the last 1,000 entries, as it is edited. With a condition, also what it left out,
 * and why.
 */
export function FilterPreview(props: { stream: StreamName; preview: PreviewState }) {
  const { stream, preview } = props;
  const { data, error, isFetching, conditionFault, conditionError, bodyFault } = preview;
  const isOfExpression =
    conditionFault !== null || conditionError !== undefined || bodyFault !== null;
  // So many of both lists together as of one alone.
  const most = data !== undefined && data.others.length > 0 ? MOST / 2 : MOST;
  return (
    <Panel title="Preview">
      {conditionFault !== null && (
        <Hint tone="warn">
          The condition is wrong in line {conditionFault.line}, column {conditionFault.column}, so
          it was not tried. {data !== undefined && 'This is what came of the one before.'}
        </Hint>
      )}
      {conditionError !== undefined && (
        <Hint tone="warn">
          The condition can't be tried.{' '}
          {data !== undefined && 'This is what came of the one before.'}
        </Hint>
      )}
      {error !== null && !isOfExpression && (
        <Hint tone="warn">
          <ErrorText error={error} />
        </Hint>
      )}
      {data !== undefined && (
        <>
          <div aria-live="polite" aria-busy={isFetching}>
            <Counts stream={stream} data={data} />
          </div>
          <div aria-hidden className="h-1.5 overflow-hidden rounded bg-sunk">
            <div className="h-full bg-accent" style={{ width: `${percentOf(data)}%` }} />
          </div>
          <Entries
            title="Would be sent"
            rows={data.sample.slice(0, most).map((entry) => ({ entry }))}
          />
          <Entries title="Left out by the condition" rows={data.others.slice(0, most)} />
        </>
      )}
    </Panel>
  );
}

/** How many match, and what else a condition makes of those that pass the lists. */
function Counts({ stream, data }: { stream: StreamName; data: Preview }) {
  const { scanned, listed, tried, matched, failed } = data;
  if (scanned === 0) {
    return <p>The {stream} stream is empty: nothing to try the filter on yet.</p>;
  }
  const part = Number(percentOf(data).toFixed(1));
  return (
    <>
      <p>
        <strong className="text-base tabular-nums">{number(matched)}</strong> of the last{' '}
        {number(scanned)} {stream} would have been sent ({part} %).
      </p>
      {(matched < listed || tried < listed) && (
        <p className="text-soft">
          {number(listed)} {listed === 1 ? 'passes' : 'pass'} the lists
          {tried < listed && <>; the condition was tried on the newest {number(tried)}, for 5 s</>}.
        </p>
      )}
      {failed > 0 && (
        <p className="text-warn">
          ▲ The condition could not be evaluated for {amount(failed, 'entry', 'entries')}: not sent.
        </p>
      )}
    </>
  );
}

function percentOf({ scanned, matched }: Preview): number {
  return scanned === 0 ? 0 : (matched / scanned) * 100;
}

const NO_FAULT = 'The condition is false.';

/** Why an entry is left out; that its condition could not be evaluated stands out. */
function Why({ text }: { text: string }) {
  if (text === NO_FAULT) return <p className="pl-4 text-soft">{text}</p>;
  return <p className="foreign pl-4 text-warn">▲ {text}</p>;
}

interface Row {
  entry: unknown;
  why?: string;
}

/** Entries that can be opened, to see what a condition can be about; newest first. */
function Entries({ title, rows }: { title: string; rows: readonly Row[] }) {
  if (rows.length === 0) return null;
  return (
    <section aria-label={title} className="min-w-0">
      <h3 className="mb-1 text-xs font-medium text-soft">{title}</h3>
      <ul className="flex flex-col gap-1 text-xs">
        {rows.map((row) => {
          const entry = row.entry as Entry;
          return (
            <li key={entry.position ?? entry.updated_idx}>
              <details>
                <summary className="foreign cursor-pointer truncate">
                  <span className="text-soft">
                    {entry.event ?? (entry.deleted === true ? 'deleted' : 'record')}
                  </span>{' '}
                  {entry.collection_id} <span className="font-mono">{entry.upstream_id}</span>{' '}
                  <span className="text-soft">{entry.sync_id}</span>
                </summary>
                <pre
                  tabIndex={0}
                  aria-label={`${entry.upstream_id} as JSON`}
                  className="foreign max-h-60 overflow-auto rounded-md border border-line bg-sunk p-2 font-mono whitespace-pre-wrap"
                >
                  {prettyValue(entry)}
                </pre>
              </details>
              {row.why !== undefined && <Why text={row.why} />}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
