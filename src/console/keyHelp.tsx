import { Dialog } from './ui/dialog.tsx';

const KEYS = [
  ['/', 'search'],
  ['j  k', 'next row, row before'],
  ['Enter', 'open the row'],
  ['Esc', 'close what is open'],
  ['?', 'these keys'],
];

/** Explains the keys of the keyboard. */
export function KeyHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keys">
      <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1">
        {KEYS.map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="rounded border border-line-strong bg-sunk px-1.5 font-mono">
                {key}
              </kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
