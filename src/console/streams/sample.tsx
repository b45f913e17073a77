import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';

import type { EventType, StreamName } from '../../schema/stream.ts';
import { api } from '../api.ts';
import { parseExactly } from '../pretty.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { AreaField, SelectField, TextField } from '../ui/field.tsx';
import { Unsaved } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { number } from '../words.ts';
import { EVENT_TYPES } from './filters.tsx';
import { useSeen } from './seen.ts';

const DATA = `{
  "name": "Ada Lovelace",
  "email": "ada@example.com",
  "plan": "pro"
}`;

/** Appends one entry that a person wrote, to see it arrive. */
export function SampleDialog(props: {
  stream: StreamName;
  sync?: string | undefined;
  collection?: string | undefined;
  event?: EventType | undefined;
  onClose: () => void;
}) {
  const [stream, setStream] = useState(props.stream);
  const [sync, setSync] = useState(props.sync ?? 'sample');
  const [collection, setCollection] = useState(props.collection ?? 'stripe:customer');
  const [record, setRecord] = useState('cus_sample_1');
  const [event, setEvent] = useState<EventType>(props.event ?? 'updated');
  const [data, setData] = useState(DATA);
  const seen = useSeen(undefined);
  const list = useId();
  const toasts = useToasts();
  const queries = useQueryClient();
  const wrong = wrongIn(data);
  const send = useMutation({
    mutationFn: () => {
      const entry = { sync_id: sync, collection_id: collection, upstream_id: record };
      const type = stream === 'events' ? { event } : {};
      const line = JSON.stringify({ ...entry, ...type, data: parseExactly(data) });
      return api.append.lines(stream, line); // as a line: no digit is lost on the way
    },
    onSuccess: (answer) => {
      toasts.done(`Appended to ${stream}; the stream ends at position ${number(answer.position)}`);
      for (const key of ['streams', 'syncs', 'collections', 'consumers']) {
        void queries.invalidateQueries({ queryKey: [key] });
      }
      props.onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="Send a sample"
      description="It is appended to the stream like any other entry. Consumers whose filter matches it send it immediately."
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(submitted) => {
          submitted.preventDefault();
          if (wrong === undefined) send.mutate();
        }}
      >
        <SelectField
          label="Stream"
          value={stream}
          onChange={setStream}
          options={[
            { value: 'events', text: 'Events' },
            { value: 'records', text: 'Records' },
          ]}
        />
        <TextField
          label="Sync"
          required
          maxLength={255}
          list={`${list}-syncs`}
          value={sync}
          onChange={({ target }) => setSync(target.value)}
        />
        <TextField
          label="Collection"
          hint="provider:name"
          required
          pattern="[^:]+:.+"
          list={`${list}-collections`}
          value={collection}
          onChange={({ target }) => setCollection(target.value)}
        />
        <TextField
          label="Record"
          hint="Its id upstream. Entries of one record keep their order."
          required
          value={record}
          onChange={({ target }) => setRecord(target.value)}
        />
        {stream === 'events' && (
          <SelectField
            label="Event type"
            value={event}
            onChange={setEvent}
            options={EVENT_TYPES.map((value) => ({ value, text: value }))}
          />
        )}
        <AreaField
          label="Data"
          rows={6}
          value={data}
          error={wrong}
          onChange={({ target }) => setData(target.value)}
        />
        <datalist id={`${list}-syncs`}>
          {seen.syncs.slice(0, 200).map(({ value }) => (
            <option key={value} value={value} />
          ))}
        </datalist>
        <datalist id={`${list}-collections`}>
          {seen.collections.slice(0, 200).map(({ value }) => (
            <option key={value} value={value} />
          ))}
        </datalist>
        <Unsaved error={send.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button type="submit" kind="main" busy={send.isPending} disabled={wrong !== undefined}>
            {send.isPending ? 'Appending…' : 'Append'}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function wrongIn(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `Not valid JSON: ${(error as Error).message}`;
  }
}
