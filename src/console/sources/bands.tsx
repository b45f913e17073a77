import type { Source } from '../../schema/source.ts';
import { ActButton } from '../act.tsx';
import { Band } from '../ui/band.tsx';
import { Button } from '../ui/button.tsx';
import { TimeText, useNow } from '../ui/timeText.tsx';
import { amount } from '../words.ts';
import { asking, notesOf, stateOf, type Note } from './state.ts';
import type { Commands } from './useSourceCommands.tsx';

/** More tables that ask are left to the list of tables. */
const MOST = 3;
const TITLES = { resume: 'Resume', forget: 'Forget it…' } as const;

/** Why a source is not read, and what it asks, above everything else on its page, each with the way to end it. */
export function SourceBands(props: {
  source: Source;
  commands: Commands;
  onOpen: (tab: NonNullable<Note['tab']>) => void;
}) {
  const { source, commands, onOpen } = props;
  const state = stateOf(source, useNow());
  const asks = source.status === 'deleting' ? [] : asking(source);
  return (
    <>
      {state !== null && (
        <Band
          label="Why it is not read"
          tone={state.tone}
          title={state.title}
          meaning={state.meaning}
          facts={state.since === null ? [] : [['Since', <TimeText key="since" at={state.since} />]]}
        >
          <div className="flex flex-wrap gap-2 empty:hidden">
            {state.isMendable && <Button onClick={() => onOpen('settings')}>Open settings</Button>}
            {state.verb !== null && (
              <ActButton
                needs="manage"
                kind={state.verb === 'forget' ? 'danger' : 'main'}
                onClick={() => state.verb !== null && commands.ask({ verb: state.verb })}
              >
                {TITLES[state.verb]}
              </ActButton>
            )}
          </div>
        </Band>
      )}
      {asks.slice(0, MOST).map((table) => (
        <Band
          key={table.table}
          label={`What ${table.table} asks`}
          tone="warn"
          title={`${table.table} asks before records are deleted`}
          meaning={`${table.detail ?? 'Reading it anew would delete more than a fifth of its records.'} Until then none is deleted, and its changes are followed.`}
        >
          <div className="flex flex-wrap gap-2">
            <ActButton
              needs="manage"
              onClick={() => commands.ask({ verb: 'read', tables: [table.table] })}
            >
              Read again
            </ActButton>
            <ActButton
              needs="manage"
              kind="danger"
              onClick={() => commands.ask({ verb: 'confirm', table })}
            >
              Delete them…
            </ActButton>
          </div>
        </Band>
      ))}
      {asks.length > MOST && (
        <p className="text-warn">
          ▲ {amount(asks.length - MOST, 'further table asks', 'further tables ask')}: see its
          tables.
        </p>
      )}
    </>
  );
}

/** Lesser things that matter about a source, as lines that lead to the part of the page with more of it. */
export function SourceNotes(props: {
  source: Source;
  onOpen: (tab: NonNullable<Note['tab']>) => void;
}) {
  const { source, onOpen } = props;
  const notes = notesOf(source, useNow());
  if (notes.length === 0) return null;
  return (
    <ul aria-label="Notes" className="flex flex-wrap gap-x-5 gap-y-0.5 text-soft">
      {notes.map(({ text, tab }) => (
        <li key={text} className="foreign">
          <span aria-hidden className="mr-1 text-warn">
            ▲
          </span>
          {tab === null ? (
            text
          ) : (
            <button
              type="button"
              onClick={() => onOpen(tab)}
              className="text-left underline hover:text-ink"
            >
              {text}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
