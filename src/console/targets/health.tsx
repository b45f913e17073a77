import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { answerWords } from '../../rules/answerWords.ts';
import { failurePhrase } from '../../rules/failurePhrase.ts';
import { lengthMs } from '../../rules/lengths.ts';
import type { Target } from '../../schema/target.ts';
import { api } from '../api.ts';
import { adviceOf } from '../attempts/advice.ts';
import { useInfo } from '../info.ts';
import { keyOf } from '../overview/trouble.ts';
import { Group } from '../overview/troubles.tsx';
import { Failed, Hint } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { amount, number } from '../words.ts';
import { TargetActs } from './acts.tsx';
import { consumersText, countOf, isOfSettings, ownNotes } from './healthText.ts';
import { useConsumersOf } from './useConsumersOf.ts';
import { waitingText } from './waitingText.ts';

const EVERY_MS = 5_000;

/**
 * How a target is, in words: what its consumers do and what waits for them, each cause of their failures with since
 * when and until when, and the commands that mend it.
 */
export function TargetHealth({ target }: { target: Target }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['troubles', target.id],
    queryFn: () => api.targets.troubles(target.id),
    refetchInterval: EVERY_MS,
  });
  const { consumers } = target;
  const more = data === undefined ? 0 : data.total - data.data.length;
  const isUntried = !target.tried && countOf(consumers) > 0;
  return (
    <Panel title="Health">
      <p>
        {consumersText(target)} {isUntried && 'Nothing has been sent to it yet. '}
        <Waiting target={target} />
      </p>
      {ownNotes(target).map((note) => (
        <Hint key={note} tone={target.health.status === 'warn' ? 'warn' : 'bad'}>
          <OwnNote target={target} note={note} />
        </Hint>
      ))}
      {error !== null && data === undefined && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data !== undefined && data.data.length > 0 && (
        <ul aria-label="Troubles" className="flex flex-col divide-y divide-line">
          {data.data.map((trouble) => (
            <Group key={keyOf(trouble)} trouble={trouble} isOfPage />
          ))}
        </ul>
      )}
      {more > 0 && <p className="text-soft">and {amount(more, 'further cause')}</p>}
      {(consumers.stopped > 0 || consumers.blocked > 0) && <LastFailure target={target} />}
      <TargetActs target={target} which="mending" />
    </Panel>
  );
}

/** A note about the target itself; one about something in its settings leads there. */
function OwnNote({ target: { id, health }, note }: { target: Target; note: string }) {
  const text = <Sentence text={note} at={health.time} />;
  if (!isOfSettings(note)) return text;
  return (
    <Link
      to="/targets/$id"
      params={{ id }}
      search={{ tab: 'settings' }}
      resetScroll={false}
      className="underline"
    >
      {text}
    </Link>
  );
}

/** What waits for its consumers together. */
function Waiting({ target }: { target: Target }) {
  const { data } = useConsumersOf(target.id);
  const kept = useInfo().data?.retention.events;
  if (data === undefined || countOf(target.consumers) === 0) return null;
  const { data: consumers, next_cursor: further } = data;
  return (
    <>
      {waitingText(consumers, lengthMs(kept))}
      {further !== null && ` Only its ${number(consumers.length)} newest consumers were looked at.`}
    </>
  );
}

/** The last answer that was no success, with the beginning of the endpoint's own words. */
function LastFailure({ target: { id, base_url } }: { target: Target }) {
  const { data } = useQuery({
    queryKey: ['attempts', 'last-failed', id],
    queryFn: () => api.targets.attempts(id, { outcome: 'failed', limit: 1 }),
    refetchInterval: EVERY_MS,
  });
  const attempt = data?.data[0];
  if (attempt === undefined) return null;
  const { status, error_code: code, response_head, started_at } = attempt;
  const words = answerWords(response_head);
  return (
    <p>
      {status === null
        ? `Last failure: ${code === null ? 'no answer' : (failurePhrase(code) ?? code)}`
        : `Last answer: HTTP ${status}`}
      {words !== null && (
        <>
          , <q className="foreign">{words}</q>
        </>
      )}{' '}
      <span className="text-soft">
        (<TimeText at={started_at} />)
      </span>{' '}
      {adviceOf({ code, status }, base_url)}
    </p>
  );
}
