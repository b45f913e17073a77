import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import type { Alert } from '../../schema/alert.ts';
import { AlertAbout } from '../alerts/about.tsx';
import { AlertDrawer } from '../alerts/drawer.tsx';
import { gist, KindBadge } from '../alerts/kind.tsx';
import { ALERT_KINDS } from '../alerts/kinds.ts';
import { MailBadge, MailLine, OutboxHint } from '../alerts/mail.tsx';
import { api } from '../api.ts';
import { ConsumerChoice } from '../consumerChoice.tsx';
import type { AlertsSearch as Search } from '../latePages.ts';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { SourceChoice } from '../sourceChoice.tsx';
import { buttonLook } from '../ui/button.tsx';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SelectField } from '../ui/field.tsx';
import { PageHead } from '../ui/panel.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';

/** The alerts, and whether their mails were sent. */
export function AlertsPage() {
  const search = useSearch({ from: '/inside/alerts' });
  const { kind, consumer, source } = search;
  const navigate = useNavigate();
  const set = (change: Search): void =>
    void navigate({ to: '/alerts', search: { ...search, ...change }, replace: true });
  const list = useList(
    ['alerts', kind, consumer, source],
    (cursor) => api.alerts({ limit: 100, cursor, kind, consumer_id: consumer, source_id: source }),
    { everyMs: 5_000 },
  );
  const [open, setOpen] = useState<Alert | null>(null);
  return (
    <>
      <PageHead
        title="Alerts"
        below={<p className="text-soft">What people were alerted to, and when.</p>}
      />
      <OutboxHint />
      <div className="grid gap-3 sm:max-w-4xl sm:grid-cols-[12rem_1fr_1fr]">
        <SelectField
          label="Kind"
          value={kind ?? ''}
          onChange={(next) => set({ kind: next === '' ? undefined : next })}
          options={[
            { value: '', text: 'All kinds' },
            ...ALERT_KINDS.map((value) => ({ value, text: value })),
          ]}
        />
        <ConsumerChoice
          value={consumer ?? ''}
          placeholder="All consumers"
          onPick={(next) => set({ consumer: next, source: undefined })}
        />
        <SourceChoice
          value={source ?? ''}
          placeholder="All sources"
          onPick={(next) => set({ source: next, consumer: undefined })}
        />
      </div>
      <DataTable
        what="alerts"
        columns={columnsOf(setOpen, useTimeWidth(), useNarrow())}
        list={list}
        rowKey={({ id }) => id}
        onOpen={setOpen}
        isFiltered={[kind, consumer, source].some((one) => one !== undefined)}
        onClearFilters={() => set({ kind: undefined, consumer: undefined, source: undefined })}
        empty={{
          title: 'No alerts yet',
          text: 'An alert is created when an endpoint fails for a while, a consumer stops or recovers, entries become dead letters, events become too old to be kept, or a source fails, falls behind or asks something.',
          action: (
            <Link to="/settings" className={buttonLook()}>
              Send a test alert
            </Link>
          ),
        }}
      />
      {open !== null && <AlertDrawer alert={open} onClose={() => setOpen(null)} />}
    </>
  );
}

/** On a phone the kind, the text and the mail stand with the name of the consumer or source. */
function columnsOf(
  onOpen: (alert: Alert) => void,
  timeWidth: string,
  isNarrow: boolean,
): Column<Alert>[] {
  const kind = (alert: Alert) => (
    <button type="button" onClick={() => onOpen(alert)} aria-label={`Open: ${alert.kind}`}>
      <KindBadge kind={alert.kind} />
    </button>
  );
  return [
    { id: 'at', title: 'Time', width: timeWidth, cell: ({ at }) => <TimeText at={at} /> },
    {
      id: 'kind',
      title: 'Kind',
      width: '10.5rem',
      isExtra: true,
      cell: kind,
    },
    {
      id: 'about',
      title: 'About',
      width: 'minmax(0,1.5fr)',
      cell: (alert) => (
        <>
          {isNarrow && kind(alert)}
          <AlertAbout alert={alert} />
          {isNarrow && (
            <>
              <span className="foreign line-clamp-2 text-xs text-soft">{gist(alert)}</span>
              <MailLine mail={alert.mail} />
            </>
          )}
        </>
      ),
    },
    {
      id: 'gist',
      title: 'Text',
      width: 'minmax(0,3fr)',
      isExtra: true,
      cell: (alert) => <span className="foreign line-clamp-2">{gist(alert)}</span>,
    },
    {
      id: 'mail',
      title: 'Mail',
      width: '7.5rem',
      isExtra: true,
      cell: ({ mail }) => <MailBadge mail={mail} />,
    },
    {
      id: 'sent',
      title: 'Sent',
      width: timeWidth,
      isExtra: true,
      cell: ({ mail }) => <TimeText at={mail?.sent_at ?? null} />,
    },
  ];
}
