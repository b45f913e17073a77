import type { SourceTest } from '../../schema/source.ts';
import { ActButton } from '../act.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { FindingList } from './findings.tsx';
import { foundText } from './tableChoices.ts';

/** The button that tests the connection to a database, and what the last test has found; nothing is changed there. */
export function Connection(props: {
  test: {
    data: SourceTest | undefined;
    error: Error | null;
    isPending: boolean;
  };
  /** Whether the URL has been changed since. */
  isOlder: boolean;
  onTest: () => void;
}) {
  const { test, isOlder, onTest } = props;
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <ActButton needs="manage" busy={test.isPending} onClick={onTest}>
          {test.isPending ? 'Connecting…' : 'Test connection'}
        </ActButton>
        <span className="text-soft">
          Changes nothing there.{' '}
          <a href="/docs/sources" target="_blank" rel="noreferrer" className="underline">
            What a database needs
          </a>
        </span>
      </div>
      <Unsaved error={test.error} />
      {test.data !== undefined && (
        <div role="status" className="flex min-w-0 flex-col gap-2">
          {isOlder && (
            <Hint tone="warn">
              This was found before the last changes. Test the connection again.
            </Hint>
          )}
          <Outcome test={test.data} />
        </div>
      )}
    </>
  );
}

function Outcome({ test: { outcome, detail, version, findings, tables } }: { test: SourceTest }) {
  if (outcome === 'unreachable') {
    return <Hint tone="bad">{detail ?? 'The database does not answer.'}</Hint>;
  }
  return (
    <>
      <p className="flex flex-wrap items-center gap-x-2">
        {outcome === 'ok' ? (
          <Badge tone="ok" shape="✓" text="ready" />
        ) : (
          <Badge tone="bad" shape="✕" text="not ready" />
        )}
        <span>
          {version === null ? 'Connected' : `Postgres ${version}`}. {foundText(tables)}
        </span>
      </p>
      {findings.length > 0 && <FindingList findings={findings} />}
    </>
  );
}
