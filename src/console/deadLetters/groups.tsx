import type { DeadLetterGroup } from '../../schema/deadLetter.ts';
import { TimeText } from '../ui/timeText.tsx';
import { amount, number } from '../words.ts';
import { failureOf, statusText } from './failure.ts';

/** The failures with their counts. Pressing a group filters the list below; pressing it again removes the filter. */
export function Groups(props: {
  groups: DeadLetterGroup[];
  chosen: { code?: string | undefined; status?: string | undefined };
  onChoose: (group: { code: string; status: string } | null) => void;
}) {
  const { groups, chosen, onChoose } = props;
  return (
    <ul
      aria-label="Groups by failure"
      className="grid grid-cols-1 gap-2 sm:grid-cols-2 lg:grid-cols-4"
    >
      {groups.map((group) => {
        const status = statusText(group.status);
        const isChosen = chosen.code === group.code && chosen.status === status;
        return (
          <li key={`${group.code} ${status}`} className="flex">
            <button
              type="button"
              aria-pressed={isChosen}
              onClick={() => onChoose(isChosen ? null : { code: group.code, status })}
              className={`flex flex-1 flex-col gap-1 rounded-lg border p-3 text-left hover:border-line-strong ${isChosen ? 'border-accent bg-accent-soft' : 'border-line bg-panel'}`}
            >
              <span className="flex w-full items-baseline justify-between gap-2">
                <span className="foreign font-mono font-semibold">{failureOf(group)}</span>
                <span className="text-lg font-semibold tabular-nums">{number(group.count)}</span>
              </span>
              <span className="flex w-full flex-wrap justify-between gap-x-2 text-soft">
                {amount(group.records, 'record')}
                <span>
                  newest <TimeText at={group.newest_at} />
                </span>
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
