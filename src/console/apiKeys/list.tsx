import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import { whoIs } from '../../rules/who.ts';
import type { ApiKey } from '../../schema/apiKey.ts';
import { api } from '../api.ts';
import { useList, useReads } from '../queries.ts';
import { useRefusal } from '../session.ts';
import { Button } from '../ui/button.tsx';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { TimeText, useNow, useTimeWidth } from '../ui/timeText.tsx';
import { useToasts } from '../ui/toast.tsx';
import { CreateKeyDialog } from './create.tsx';

/** The API keys, and a way to create one. */
export function ApiKeys() {
  const refusal = useRefusal('manage');
  if (refusal === null) return <Keys />;
  return (
    <Notice title={refusal} text="Only a key with this scope can list, create and revoke keys." />
  );
}

function Keys() {
  const list = useList(['api-keys'], (cursor) => api.apiKeys.list({ limit: 100, cursor }));
  const [isCreating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const create = (
    <Button kind="main" onClick={() => setCreating(true)}>
      Create key…
    </Button>
  );
  return (
    <>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="max-w-prose text-soft">
          Give each person or program a key of its own: changes are recorded under its name. A key
          is shown only once; Millrace stores its hash.
        </p>
        {create}
      </div>
      <DataTable
        what="API keys"
        columns={columnsOf(setRevoking, useTimeWidth())}
        list={list}
        rowKey={({ id }) => id}
        empty={{
          title: 'No API keys yet',
          text: 'Only the admin key of MILLRACE_API_KEY is in use. It is not listed here.',
          action: create,
        }}
      />
      {isCreating && <CreateKeyDialog onClose={() => setCreating(false)} />}
      {revoking !== null && <RevokeDialog apiKey={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function columnsOf(onRevoke: (key: ApiKey) => void, timeWidth: string): Column<ApiKey>[] {
  return [
    {
      id: 'name',
      title: 'Name',
      width: 'minmax(0,2fr)',
      cell: ({ name, last4 }) => (
        <div className="min-w-0">
          <span className="foreign line-clamp-2 font-medium">{name}</span>
          <code className="text-xs text-soft">…{last4}</code>
        </div>
      ),
    },
    {
      id: 'scopes',
      title: 'Scopes',
      width: 'minmax(0,1.5fr)',
      isExtra: true,
      cell: ({ scopes }) => scopes.join(', '),
    },
    { id: 'state', title: 'State', width: '5.5rem', cell: (key) => <State apiKey={key} /> },
    {
      id: 'used',
      title: 'Last used',
      width: timeWidth,
      isExtra: true,
      cell: ({ last_used_at: at }) =>
        at === null ? <span className="text-soft">never</span> : <TimeText at={at} />,
    },
    {
      id: 'expires',
      title: 'Expires',
      width: timeWidth,
      isExtra: true,
      cell: ({ expires_at: at }) =>
        at === null ? <span className="text-soft">never</span> : <TimeText at={at} />,
    },
    {
      id: 'created',
      title: 'Created',
      width: 'minmax(0,1.5fr)',
      isExtra: true,
      cell: ({ created_at, created_by }) => (
        <span className="foreign line-clamp-2">
          <TimeText at={created_at} /> by {whoIs(created_by)}
        </span>
      ),
    },
    {
      id: 'act',
      title: 'Action',
      width: '6rem',
      cell: (key) =>
        key.revoked_at === null ? (
          <Button
            kind="quiet"
            aria-label={`Revoke ${key.name.slice(0, 60)}`}
            onClick={() => onRevoke(key)}
          >
            Revoke…
          </Button>
        ) : (
          <TimeText at={key.revoked_at} />
        ),
    },
  ];
}

function State({ apiKey }: { apiKey: ApiKey }) {
  const now = useNow();
  const { revoked_at, expires_at } = apiKey;
  if (revoked_at !== null) return <Badge tone="idle" shape="✕" text="revoked" />;
  if (expires_at !== null && Date.parse(expires_at) <= now) {
    return <Badge tone="warn" shape="▲" text="expired" />;
  }
  return <Badge tone="ok" shape="●" text="valid" />;
}

function RevokeDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const toasts = useToasts();
  const reads = useReads();
  const revoke = useMutation({
    mutationFn: () => api.apiKeys.delete(apiKey.id),
    onSuccess: () => toasts.done(`API key “${apiKey.name}” revoked`),
    onError: toasts.refused,
    onSettled: () => {
      onClose();
      void reads.again(['api-keys']);
    },
  });
  return (
    <Dialog
      open
      onClose={() => !revoke.isPending && onClose()}
      title={`Revoke “${apiKey.name}”?`}
      description="Anyone using it loses access immediately, and so do sessions that were signed in with it. This can't be undone. Create a new key instead."
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" busy={revoke.isPending} onClick={() => revoke.mutate()}>
            Revoke 1 key
          </Button>
        </>
      }
    />
  );
}
