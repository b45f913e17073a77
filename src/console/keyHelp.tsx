import { PLACES } from './places.ts';
import { Dialog } from './ui/dialog.tsx';

const KEYS = [
  ['/', 'Search this page, or everything if the page has no search'],
  ['Ctrl K', 'Search everything'],
  ['j  k', 'Next row, previous row'],
  ['Enter', 'Open the row'],
  ['r', 'On the page of a consumer or a source: retry, or resume'],
  ['p', 'On the page of a consumer or a source: pause'],
  ['Esc', 'Close what is open'],
  ['?', 'Show these keys'],
] as const;

/** Explains the keys of the keyboard. */
export function KeyHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard shortcuts">
      <Keys keys={KEYS} />
      <h3 className="font-semibold">Go to</h3>
      <Keys keys={PLACES.map(({ key, title }) => [`g  ${key}`, title] as const)} />
    </Dialog>
  );
}

function Keys({ keys }: { keys: readonly (readonly [key: string, what: string])[] }) {
  return (
    <dl className="grid grid-cols-[4rem_1fr] gap-x-4 gap-y-1">
      {keys.map(([key, what]) => (
        <div key={key} className="contents">
          <dt>
            <kbd className="rounded border border-line-strong bg-sunk px-1.5 font-mono whitespace-pre">
              {key}
            </kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
