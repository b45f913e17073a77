import { useMutation } from '@tanstack/react-query';
import { useId, useState } from 'react';

import type { EventType, StreamName } from '../../schema/stream.ts';
import { api } from '../api.ts';
import { errorsOf } from '../fieldErrors.ts';
import { useReads } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { ChoiceCard } from '../ui/choiceCard.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { AreaField, SelectField, TextField } from '../ui/field.tsx';
import { Unsaved } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { useFaults } from '../useFaults.ts';
import { useForm } from '../useForm.ts';
import { EVENT_TYPES } from './eventTypes.ts';
import {
  BLANK_SAMPLE,
  lineOf,
  SAMPLE_FORM,
  sampleFaults,
  sampleText,
  sentText,
  type SampleDraft,
} from './sampleDraft.ts';
import { useSeen } from './seen.ts';

const STREAMS = [
  {
    value: 'records',
    title: 'Record',
    text: 'A version of a record: Millrace makes an event of what changed, so consumers of both streams can send it.',
  },
  {
    value: 'events',
    title: 'Event',
    text: 'A change exactly as you write it: only consumers of the events stream can send it.',
  },
] as const;

/**
 * Appends one entry that a person wrote, to see it arrive. What was filled in last is there again, except for what is
 * given here; an event type is that of an event.
 */
export function SampleDialog(props: {
  stream?: StreamName | undefined;
  sync?: string | undefined;
  collection?: string | undefined;
  event?: EventType | undefined;
  onClose: () => void;
}) {
  const { stream, sync, collection, event, onClose } = props;
  const given: Partial<SampleDraft> = {
    ...(stream !== undefined && { stream }),
    ...(sync !== undefined && { sync }),
    ...(collection !== undefined && { collection }),
    ...(event !== undefined && { event, stream: 'events' as const }),
  };
  const form = useForm(SAMPLE_FORM, BLANK_SAMPLE, () => given);
  const { values: draft, set } = form;
  const [sample] = useState(() => sampleText(new Date()));
  const data = draft.data ?? sample;
  const toasts = useToasts();
  const reads = useReads();
  const { element, isSendable, faultAt } = useFaults(sampleFaults(draft));
  const send = useMutation({
    mutationFn: () => api.append.lines(draft.stream, lineOf(draft, data)),
    onSuccess: (answer) => {
      toasts.done(sentText(draft.stream, answer));
      void reads.again(['streams'], ['syncs'], ['collections'], ['consumers']);
      onClose();
    },
  });
  const refused = errorsOf(send.error);
  return (
    <Dialog
      open
      onClose={onClose}
      title="Send a sample"
      description="It is appended like any other entry. Consumers whose filter matches it send it immediately."
    >
      <form
        className="flex flex-col gap-3"
        ref={element}
        noValidate
        onSubmit={(submitted) => {
          submitted.preventDefault();
          if (isSendable()) send.mutate();
          else send.reset();
        }}
      >
        <Fields
          draft={draft}
          data={data}
          onChange={set}
          errorAt={(pointer) => faultAt(pointer) ?? refused(pointer)}
        />
        <Unsaved error={send.error} />
        <div className="flex flex-wrap justify-end gap-2">
          {form.isFilled && (
            <Button kind="quiet" onClick={() => set({ ...BLANK_SAMPLE, ...given })}>
              Start over
            </Button>
          )}
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="main" busy={send.isPending}>
            {send.isPending ? 'Sending…' : 'Send'}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Fields(props: {
  draft: SampleDraft;
  /** The data that is sent. */
  data: string;
  onChange: (change: Partial<SampleDraft>) => void;
  errorAt: (pointer: string) => string | undefined;
}) {
  const { draft, data, onChange: set, errorAt } = props;
  const seen = useSeen(undefined);
  const list = useId();
  return (
    <>
      <fieldset className="grid min-w-0 grid-cols-1 gap-2 sm:grid-cols-2">
        <legend className="mb-1 font-medium">What is sent</legend>
        {STREAMS.map(({ value, title, text }) => (
          <ChoiceCard
            key={value}
            name="stream"
            title={title}
            text={text}
            checked={draft.stream === value}
            onChoose={() => set({ stream: value })}
          />
        ))}
      </fieldset>
      <TextField
        label="Sync"
        hint="Where the record comes from"
        required
        list={`${list}-syncs`}
        value={draft.sync}
        onChange={({ target }) => set({ sync: target.value })}
        error={errorAt('/sync_id')}
      />
      <TextField
        label="Collection"
        hint="What kind of record it is, as provider:name"
        required
        list={`${list}-collections`}
        value={draft.collection}
        onChange={({ target }) => set({ collection: target.value })}
        error={errorAt('/collection_id')}
      />
      <TextField
        label="Record"
        hint="Its id upstream. Entries of one record keep their order."
        required
        value={draft.record}
        onChange={({ target }) => set({ record: target.value })}
        error={errorAt('/upstream_id')}
      />
      {draft.stream === 'events' && (
        <SelectField
          label="Event type"
          value={draft.event}
          onChange={(event) => set({ event })}
          options={EVENT_TYPES.map((value) => ({ value, text: value }))}
        />
      )}
      <AreaField
        label="Data"
        hint="Any JSON"
        rows={6}
        value={data}
        onChange={({ target }) => set({ data: target.value })}
        error={errorAt('/data')}
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
    </>
  );
}
