import { Link } from '@tanstack/react-router';

import { upTo } from '../../rules/waitingWords.ts';
import type { Status } from '../../schema/status.ts';
import { number, roughly } from '../words.ts';

type Figures = NonNullable<Status['figures']>;
type Tone = 'ink' | 'warn' | 'bad';

const TONES: Record<Tone, string> = { ink: 'text-ink', warn: 'text-warn', bad: 'text-bad' };

/** The numbers of consumers in each status, and what waits: each leads to the list that shows it. */
export function Strip({ figures }: { figures: Figures }) {
  const { consumers, parked, dead_letters, lag, cannot_start } = figures;
  const all = consumers.active + consumers.paused + consumers.blocked + consumers.stopped;
  const tone = (count: number, raised: Tone): Tone => (count > 0 ? raised : 'ink');
  return (
    <nav
      aria-label="States"
      className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line min-[360px]:grid-cols-4 xl:grid-cols-8"
    >
      <div className="flex min-w-0 flex-col bg-panel">
        <Link to="/consumers" className={TILE}>
          <Tile title="consumers" value={number(all)} />
        </Link>
        {cannot_start > 0 && (
          <Link
            to="/consumers"
            search={{ has: 'cannot_start' }}
            className="px-2.5 pb-2 text-xs text-bad underline"
          >
            {number(cannot_start)} can't send
          </Link>
        )}
      </div>
      <Link to="/consumers" search={{ status: 'active' }} className={TILE}>
        <Tile title="active" value={number(consumers.active)} />
      </Link>
      <Link to="/consumers" search={{ status: 'blocked' }} className={TILE}>
        <Tile
          title="blocked"
          value={number(consumers.blocked)}
          tone={tone(consumers.blocked, 'warn')}
        />
      </Link>
      <Link to="/consumers" search={{ status: 'stopped' }} className={TILE}>
        <Tile
          title="stopped"
          value={number(consumers.stopped)}
          tone={tone(consumers.stopped, 'bad')}
        />
      </Link>
      <Link to="/consumers" search={{ status: 'paused' }} className={TILE}>
        <Tile title="paused" value={number(consumers.paused)} />
      </Link>
      <Link to="/consumers" search={{ has: 'parked' }} className={TILE}>
        <Tile title="parked" value={number(parked)} tone={tone(parked, 'warn')} />
      </Link>
      <Link to="/dead-letters" className={TILE}>
        <Tile title="dead letters" value={number(dead_letters)} tone={tone(dead_letters, 'bad')} />
      </Link>
      <a href="#laggiest" className={TILE}>
        <Tile title="oldest lag" value={oldest(lag)} />
      </a>
    </nav>
  );
}

function oldest({ entries, seconds, exact }: Figures['lag']): string {
  return entries === 0 ? 'none' : `${upTo(exact)}${roughly(seconds)}`;
}

const TILE = 'flex min-w-0 flex-col bg-panel px-2.5 py-2 hover:bg-sunk focus-visible:z-10';

function Tile(props: { title: string; value: string; tone?: Tone }) {
  const { title, value, tone = 'ink' } = props;
  return (
    <>
      <span className={`text-lg leading-tight font-semibold tabular-nums ${TONES[tone]}`}>
        {value}
      </span>{' '}
      <span className="text-xs text-soft">{title}</span>
    </>
  );
}
