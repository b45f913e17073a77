import { Link } from '@tanstack/react-router';

import { sizeInWords } from '../../rules/words.ts';
import type { Source } from '../../schema/source.ts';
import { useInfo } from '../info.ts';
import { Figure, Figures } from '../ui/figures.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { number, roughly } from '../words.ts';
import { workflowUrl } from '../workflowUrl.ts';

/** A source's numbers, and links to other places that show it. */
export function SourceNumbers({ source }: { source: Source }) {
  const { id, lag, tables, sync_id, slot, publication } = source;
  const { data: info } = useInfo();
  const workflowId = `source/${id}`;
  const temporal = workflowUrl(info, workflowId);
  const sum = (of: 'rows' | 'changes'): number => tables.reduce((all, table) => all + table[of], 0);
  return (
    <Figures>
      <Figure
        title="Lag"
        value={lag === null ? '–' : sizeInWords(lag.bytes)}
        about={lag === null ? 'not followed yet' : lagText(lag)}
      />
      <Figure
        title="Kept at most"
        value={
          lag === null ? '–' : lag.limit_bytes === null ? 'no limit' : sizeInWords(lag.limit_bytes)
        }
        about="of its log"
      />
      <Figure
        title="Last change"
        value={<TimeText at={source.last_change_at} />}
        about={`${number(sum('changes'))} in all`}
      />
      <Figure title="Rows" value={number(sum('rows'))} about="were read" />
      <Figure
        title="Position"
        value={source.last_lsn ?? '–'}
        about={source.last_lsn === null ? 'nothing is stored yet' : 'stored up to here'}
      />
      <Figure
        title="Records"
        value={
          <Link
            to="/streams"
            search={{ stream: 'records', sync: sync_id }}
            className="hover:underline"
          >
            in the stream
          </Link>
        }
        about={`sync ${sync_id}`}
      />
      <Figure title="Slot" value={slot} about={`publication ${publication}`} />
      <Figure
        title="Workflow"
        value={
          temporal === null ? (
            '–'
          ) : (
            <a href={temporal} target="_blank" rel="noreferrer" className="underline">
              in Temporal
            </a>
          )
        }
        about={workflowId}
      />
    </Figures>
  );
}

function lagText({ bytes, seconds }: NonNullable<Source['lag']>): string {
  if (seconds >= 1) return `${roughly(seconds)} behind`;
  return bytes === 0 ? 'everything is stored' : 'less than a second';
}
