import { Link } from '@tanstack/react-router';

import type { Status } from '../../schema/status.ts';
import { useInfo } from '../info.ts';
import { Panel } from '../ui/panel.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { amount } from '../words.ts';

const TITLES: Record<string, string> = {
  database: 'Postgres',
  temporal: 'Temporal',
  worker: 'Worker',
};

/** Whether each part of the system answers, and what the outbox still has to send. */
export function System({ status }: { status: Status }) {
  const { data: info } = useInfo();
  const unsent = status.figures?.outbox ?? null;
  const uiUrl = info?.temporal.ui_url ?? null;
  return (
    <Panel title="System">
      <ul aria-label="Parts" className="flex flex-wrap gap-x-6 gap-y-2">
        {Object.entries(status.parts).map(([name, isWell]) => (
          <li key={name} className="flex items-center gap-2">
            {name === 'temporal' && uiUrl !== null ? (
              <a href={uiUrl} className="underline" target="_blank" rel="noreferrer">
                {TITLES[name]}
              </a>
            ) : (
              (TITLES[name] ?? name)
            )}
            {isWell ? (
              <Badge tone="ok" shape="●" text="answers" />
            ) : (
              <Badge tone="bad" shape="■" text="does not answer" />
            )}
          </li>
        ))}
        {unsent !== null && (
          <li className="flex items-center gap-2">
            <Link to="/alerts" className="underline">
              Outbox
            </Link>
            {unsent === 0 ? (
              <Badge tone="ok" shape="●" text="empty" />
            ) : (
              <Badge tone="warn" shape="▲" text={`${amount(unsent, 'message')} to send`} />
            )}
          </li>
        )}
        <li className="text-soft">
          Millrace {status.version}, {status.region}
        </li>
      </ul>
      {Object.values(status.parts).includes(false) && (
        <a
          href="/docs/operating#when-a-part-is-not-available"
          target="_blank"
          rel="noreferrer"
          className="self-start underline"
        >
          What happens meanwhile, and what to do
        </a>
      )}
    </Panel>
  );
}
