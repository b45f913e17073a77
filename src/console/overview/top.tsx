import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Overview } from '../../schema/overview.ts';
import { waitingNumber } from '../consumers/waits.ts';
import { Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { amount, number } from '../words.ts';
import { failureRate } from './failureRate.ts';

type Top = Overview['top'];
type Outcome = 'delivered' | 'failed';

/** The consumers that delivered most, failed most and lag most, and the targets that answered slowest. */
export function TopConsumers({ top }: { top: Top }) {
  const since = (
    <>
      since <TimeText at={top.since} isMinute />
    </>
  );
  return (
    <div className="grid grid-cols-1 gap-4 md:grid-cols-2 xl:grid-cols-4">
      <TopList
        title="Busiest"
        about={since}
        none="Nothing was delivered."
        colour="bg-ok"
        ranked={top.busiest}
        valueOf={(one) => one.delivered}
      >
        {(one) => <ConsumerLinks one={one} outcome="delivered" text={deliveredText(one)} />}
      </TopList>
      <TopList
        title="Most failing"
        about={since}
        none="Nothing failed."
        colour="bg-bad"
        ranked={top.failing}
        valueOf={(one) => one.failed}
      >
        {(one) => <ConsumerLinks one={one} outcome="failed" text={failedText(one)} />}
      </TopList>
      <TopList
        title="Slowest targets"
        about={<>mean response time, {since}</>}
        none="Nothing was sent."
        colour="bg-chart-2"
        ranked={top.slowest}
        valueOf={(one) => one.mean_ms}
      >
        {({ target_id, name, mean_ms, attempts }) => (
          <>
            <Link to="/targets/$id" params={{ id: target_id }} className={NAME}>
              {name}
            </Link>
            <span className={FIGURE}>
              {number(mean_ms)} ms ({amount(attempts, 'attempt')})
            </span>
          </>
        )}
      </TopList>
      <TopList
        id="laggiest"
        title="Most lag"
        about="entries waiting, in the last minute"
        none="Nothing is waiting."
        colour="bg-accent"
        ranked={top.laggiest}
        valueOf={(one) => one.entries}
      >
        {(one) => <ConsumerLinks one={one} text={<Waiting one={one} />} />}
      </TopList>
    </div>
  );
}

const NAME = 'foreign line-clamp-2 min-w-0 font-medium hover:underline';
const FIGURE = 'text-xs whitespace-nowrap text-soft tabular-nums';

/** A list in its order, each with a bar that compares its value with the first one. */
function TopList<One extends { consumer_id: string } | { target_id: string }>(props: {
  id?: string;
  title: string;
  about: ReactNode;
  none: string;
  colour: string;
  ranked: One[];
  valueOf: (one: One) => number;
  children: (one: One) => ReactNode;
}) {
  const { id, title, about, none, colour, ranked, valueOf, children } = props;
  const [first] = ranked;
  const most = first === undefined ? 1 : Math.max(1, valueOf(first));
  return (
    <div id={id} className="grid scroll-mt-16">
      <Panel title={title}>
        <p className="-mt-2 text-xs text-soft">{about}</p>
        {first === undefined ? (
          <p className="text-soft">{none}</p>
        ) : (
          <ol aria-label={title} className="flex flex-col gap-2">
            {ranked.map((one) => (
              <li
                key={'target_id' in one ? one.target_id : one.consumer_id}
                className="flex min-w-0 flex-col gap-0.5"
              >
                <span className="flex min-w-0 items-baseline justify-between gap-2">
                  {children(one)}
                </span>
                <span aria-hidden className="h-1 rounded-full bg-sunk">
                  <span
                    className={`block h-1 rounded-full ${colour}`}
                    style={{ width: `${Math.max(1, (100 * valueOf(one)) / most)}%` }}
                  />
                </span>
              </li>
            ))}
          </ol>
        )}
      </Panel>
    </div>
  );
}

/** The consumer, and the figure as a link to its deliveries. */
function ConsumerLinks(props: {
  one: { consumer_id: string; name: string };
  outcome?: Outcome;
  text: ReactNode;
}) {
  const { one, outcome, text } = props;
  const params = { id: one.consumer_id };
  return (
    <>
      <Link to="/consumers/$id" params={params} className={NAME}>
        {one.name}
      </Link>
      <Link
        to="/consumers/$id"
        params={params}
        search={outcome === undefined ? {} : { outcome }}
        className={`${FIGURE} underline`}
      >
        {text}
      </Link>
    </>
  );
}

const deliveredText = ({ delivered }: Top['busiest'][number]): string =>
  `${number(delivered)} delivered`;

const failedText = (one: Top['failing'][number]): string =>
  `${number(one.failed)} failed (${failureRate(one) ?? 0} %)`;

/** The list says once what the number is, so that it leaves the name its room. */
function Waiting({ one }: { one: Top['laggiest'][number] }) {
  return (
    <>
      {waitingNumber(one)}
      <span className="sr-only"> waiting</span>
    </>
  );
}
