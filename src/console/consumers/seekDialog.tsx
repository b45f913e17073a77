import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { api, messageOf, type Metrics } from '../api.ts';
import { fieldText, fieldTime, ZONE_WORDS } from '../dateField.ts';
import { useReads } from '../queries.ts';
import { useZone } from '../settings.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { useToasts } from '../ui/toast.tsx';
import { amount, number } from '../words.ts';
import { waits } from './waits.ts';

type To = 'end' | 'beginning' | 'time';

const PLACES = [
  { value: 'end', text: 'The end: skip waiting entries' },
  { value: 'beginning', text: 'The beginning: send every entry that is kept' },
  { value: 'time', text: 'A time' },
] as const;

/** Moves the position; first says how many entries are skipped or sent (again). */
export function SeekDialog(props: { consumer: Consumer; open: boolean; onClose: () => void }) {
  const { consumer, open, onClose } = props;
  const [to, setTo] = useState<To>('end');
  const zone = useZone();
  const [time, setTime] = useState(() => fieldText(Date.now() - 3_600_000, zone).slice(0, 16));
  const reads = useReads();
  const toasts = useToasts();
  const chosen = fieldTime(time, zone);
  const at = to === 'time' && chosen !== undefined ? new Date(chosen) : null;
  const seek = useMutation({
    mutationFn: () => api.consumers.seek(consumer.id, to === 'time' ? { time: chosen ?? '' } : to),
    onSuccess: async (changed) => {
      await reads.replace(['consumer', consumer.id], changed);
      toasts.done(`Moved to position ${number(changed.position)}.`);
      onClose();
    },
  });
  const isToCome = at !== null && at.getTime() > Date.now();
  const concerns = useConcerned(consumer, isToCome ? 'end' : to, at, open);
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={`Move ${consumer.name}?`}
      description={`It is at position ${number(consumer.position)}. Requests in flight finish first. If an entry is failing, its retry window ends.`}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="main"
            busy={seek.isPending}
            disabled={to === 'time' && at === null}
            onClick={() => seek.mutate()}
          >
            Move
          </Button>
        </>
      }
    >
      <SelectField label="To" value={to} onChange={setTo} options={PLACES} />
      {to === 'time' && (
        <TextField
          label={`Time, ${ZONE_WORDS[zone]}`}
          type="datetime-local"
          value={time}
          onChange={(event) => setTime(event.target.value)}
          hint="Sending starts with the first entry that was appended at this time or later"
        />
      )}
      <Hint tone={(to === 'end' || isToCome) && consumer.lag.entries > 0 ? 'warn' : 'accent'}>
        {isToCome && 'This time is in the future, which is the same as the end. '}
        {concerns}
      </Hint>
      <Unsaved error={seek.error} />
    </Dialog>
  );
}

const LAST = 10_000;

/** How many entries a seek concerns, in words. */
function useConcerned(consumer: Consumer, to: To, at: Date | null, open: boolean): string {
  const { id, lag, parked, stream, syncs, collections, event_types, where } = consumer;
  const preview = useQuery({
    queryKey: ['preview', 'seek', id, consumer.filter_version],
    queryFn: () =>
      api.consumers.preview({ stream, syncs, collections, event_types, where, last: LAST }),
    enabled: open && to === 'beginning',
  });
  const seconds = at === null ? 0 : Math.max(60, (Date.now() - at.getTime()) / 1_000);
  const traffic = useQuery({
    queryKey: ['metrics', id, 'seek', at?.toISOString()],
    queryFn: () =>
      api.consumers.metrics(id, {
        since: at?.toISOString(),
        step: String(Math.ceil(seconds / 400)),
      }) as Promise<Metrics>,
    enabled: open && at !== null && to === 'time',
    retry: false,
  });
  if (to === 'end') {
    const skipped = `Skipped, and never sent: ${waits(lag, 'waiting entry', 'waiting entries')}.`;
    return parked === 0
      ? skipped
      : `${skipped} ${amount(parked, 'parked entry stays', 'parked entries stay')}.`;
  }
  if (to === 'beginning') {
    if (preview.error !== null) return messageOf(preview.error);
    if (preview.data === undefined) return 'Counting…';
    const { matched, scanned, tried, listed: passing } = preview.data;
    const more = scanned < LAST ? '' : ' More may match before those.';
    const least = tried < passing ? 'At least ' : '';
    return `${least}${amount(matched, 'entry', 'entries')} of the ${scanned < LAST ? '' : 'last '}${number(scanned)} that are kept match and are sent, including those that were sent before.${more} Parked entries are closed, and sent in their turn.`;
  }
  if (at === null) return 'Enter a time.';
  if (traffic.data === undefined) {
    return traffic.error === null ? 'Counting…' : messageOf(traffic.error);
  }
  const sent = traffic.data.data.reduce((sum, point) => sum + point.delivered, 0);
  return `About ${amount(sent, 'delivery was', 'deliveries were')} made since then and will be made again if the time is before the position; ${waits(lag)} after it.`;
}
