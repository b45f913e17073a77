import { Link } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { ActButton, ActLink } from '../act.tsx';
import { buttonLook } from '../ui/button.tsx';
import type { FirstActs } from './acts.ts';
import { Step } from './step.tsx';

/** A target: one click for the receiver that `npm start` brings, the form for anything else. */
export function TargetStep(props: {
  target: Target | undefined;
  receiver: string | null;
  create: FirstActs['createTarget'];
}) {
  const { target, receiver, create } = props;
  return (
    <Step
      at={1}
      title="Create a target"
      isDone={target !== undefined}
      text="The endpoint that webhooks go to, with its credentials."
      done={target?.name}
    >
      {receiver !== null && (
        <ActButton
          needs="manage"
          kind="main"
          busy={create.isPending}
          onClick={() => create.mutate(receiver)}
        >
          Use the built-in receiver
        </ActButton>
      )}
      <ActLink needs="manage" title="My own endpoint">
        <Link to="/targets/new" className={buttonLook(receiver === null ? 'main' : 'plain')}>
          My own endpoint
        </Link>
      </ActLink>
    </Step>
  );
}

/** A consumer of the target: one click for every event, the form for a choice of them. */
export function ConsumerStep(props: {
  target: Target | undefined;
  consumer: Consumer | undefined;
  create: FirstActs['createConsumer'];
}) {
  const { target, consumer, create } = props;
  return (
    <Step
      at={2}
      title="Create a consumer"
      isDone={consumer !== undefined}
      isWaiting={target === undefined}
      text="It sends the entries that match its filter to the target, as soon as it is saved."
      done={consumer?.name}
    >
      {target !== undefined && (
        <>
          <ActButton
            needs="manage"
            kind="main"
            busy={create.isPending}
            onClick={() => create.mutate(target)}
          >
            Send every event to {target.name.slice(0, 40)}
          </ActButton>
          <ActLink needs="manage" title="Choose what is sent">
            <Link to="/consumers/new" search={{ target: target.id }} className={buttonLook()}>
              Choose what is sent
            </Link>
          </ActLink>
        </>
      )}
    </Step>
  );
}

/** A record for the consumer to send. */
export function SampleStep(props: {
  consumer: Consumer | undefined;
  hasArrived: boolean;
  send: FirstActs['sendSample'];
}) {
  const { consumer, hasArrived, send } = props;
  return (
    <Step
      at={3}
      title="Send a sample"
      isDone={send.isSuccess || hasArrived}
      isWaiting={consumer === undefined}
      text="Appends a sample customer, as your systems append their records. Millrace makes an event of it."
      done="sent"
    >
      {consumer !== undefined && (
        <ActButton
          needs="ingest"
          kind="main"
          busy={send.isPending}
          onClick={() => send.mutate(consumer)}
        >
          Send a sample
        </ActButton>
      )}
    </Step>
  );
}

/** The delivery of that event, which appears by itself. */
export function ArrivalStep(props: { isSent: boolean; hasArrived: boolean; isDelivered: boolean }) {
  const { isSent, hasArrived, isDelivered } = props;
  return (
    <Step
      at={4}
      title="See it arrive"
      isDone={isDelivered}
      isWaiting={!isSent && !hasArrived}
      text={arrivalText(props)}
      done="delivered"
    />
  );
}

function arrivalText(props: {
  isSent: boolean;
  hasArrived: boolean;
  isDelivered: boolean;
}): string {
  if (props.isDelivered) return 'It was sent, signed, and your endpoint took it.';
  if (props.hasArrived) return 'Your endpoint did not take it. It is tried again for 24 hours.';
  return props.isSent ? 'Waiting for the delivery…' : 'The delivery appears here automatically.';
}
