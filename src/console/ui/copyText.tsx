import { useEffect, useId, useState } from 'react';

import { Button } from './button.tsx';

/** Copies a text; says so for two seconds. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), 2_000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      setSaid('Copying is blocked: select the text'); // browsers forbid copying without TLS
    }
  };
  return (
    <Button kind="plain" onClick={() => void copy()}>
      <span aria-live="polite">{said ?? label}</span>
    </Button>
  );
}

/**
 * Text in lines, unchanged, with a button that copies it. With `formatted`, that form of it can be shown instead;
 * what is copied stays the unchanged text.
 */
export function Code(props: { text: string; label: string; formatted?: string | undefined }) {
  const { text, label, formatted = text } = props;
  const [isFormatted, setFormatted] = useState(false);
  const id = useId();
  return (
    <figure className="flex min-w-0 flex-col gap-1">
      <figcaption className="flex flex-wrap items-center justify-between gap-2">
        <span className="font-medium">{label}</span>
        <span className="flex items-center gap-3">
          {formatted !== text && (
            <label htmlFor={id} className="flex items-center gap-1.5 text-soft">
              <input
                id={id}
                type="checkbox"
                checked={isFormatted}
                onChange={({ target }) => setFormatted(target.checked)}
              />
              formatted
            </label>
          )}
          <CopyButton text={text} />
        </span>
      </figcaption>
      <pre
        tabIndex={0}
        aria-label={label}
        className="foreign max-h-80 overflow-auto rounded-md border border-line bg-sunk p-2 font-mono text-xs whitespace-pre-wrap"
      >
        {isFormatted ? formatted : text}
      </pre>
    </figure>
  );
}
