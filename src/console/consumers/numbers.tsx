import { Link } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import { useInfo } from '../info.ts';
import { shownUrl } from '../targets/shownUrl.ts';
import { Figure, Figures } from '../ui/figures.tsx';
import { DueText, TimeText } from '../ui/timeText.tsx';
import { duration, number } from '../words.ts';
import { workflowUrl } from '../workflowUrl.ts';
import { useCatchUp } from './catchUp.ts';
import { useLastDelivery } from './lastDelivery.ts';
import { useUnsent } from './useUnsent.ts';
import { useTargetOf, useUrl } from './useUrl.ts';
import { waitingNumber } from './waits.ts';

/** A consumer's numbers, and links to other places that show it. */
export function Numbers({ consumer }: { consumer: Consumer }) {
  const { lag, position, parked, next_attempt_at, failing_since, sender } = consumer;
  const { data: info } = useInfo();
  const eta = useCatchUp(consumer);
  const isUnsent = useUnsent(consumer);
  const delivery = useLastDelivery(consumer.id);
  const { data: target } = useTargetOf(consumer.target_id);
  const url = useUrl(consumer);
  const temporal = workflowUrl(info, consumer.workflow_id);
  const isOfParked = failing_since === null && next_attempt_at !== null;
  return (
    <Figures>
      <Figure
        title="Position"
        value={number(position)}
        about={`in the ${consumer.stream} stream`}
      />
      <Figure
        title="Lag"
        value={waitingNumber(lag)}
        about={
          lag.entries > 0
            ? [duration(lag.seconds), eta].filter(Boolean).join(', ')
            : isUnsent
              ? 'nothing has matched yet'
              : 'caught up'
        }
      />
      <Figure
        title="Last delivery"
        value={<TimeText at={delivery?.started_at ?? null} />}
        about={deliveryText(delivery)}
      />
      <Figure title="Parked" value={number(parked)} about="waiting for a retry" />
      <Figure
        title="Next attempt"
        value={<DueText at={next_attempt_at} />}
        about={
          failing_since === null ? (
            isOfParked ? (
              'of a parked entry'
            ) : (
              'not failing'
            )
          ) : (
            <>
              failing since <TimeText at={failing_since} />
            </>
          )
        }
      />
      <Figure
        title="Sender"
        value={senderOf(consumer)}
        about={sender?.process ?? 'nothing is being sent'}
      />
      <Figure
        title="Target"
        value={
          <Link to="/targets/$id" params={{ id: consumer.target_id }} className="hover:underline">
            {target?.name ?? '…'}
          </Link>
        }
        about={
          target === undefined || url === undefined
            ? undefined
            : shownUrl({ ...target, base_url: url })
        }
      />
      <Figure
        title="Workflow"
        value={
          temporal === null ? (
            consumer.region
          ) : (
            <a href={temporal} target="_blank" rel="noreferrer" className="underline">
              in Temporal
            </a>
          )
        }
        about={consumer.workflow_id}
      />
    </Figures>
  );
}

function deliveryText(delivery: ReturnType<typeof useLastDelivery>): string | undefined {
  if (delivery === undefined) return undefined;
  return delivery === null ? 'none is kept' : `answered in ${number(delivery.duration_ms)} ms`;
}

/** Who sends for it. */
function senderOf({ sender }: Consumer): string {
  if (sender === null) return 'none';
  return sender.activity === 'visit'
    ? `lane ${sender.lane} of visits`
    : `its own ${sender.activity}`;
}
