import { useEffect, useState } from 'react';

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

/** Text in lines, unchanged, with a button that copies it. */
export function Code({ text, label }: { text: string; label: string }) {
  return (
    <figure className="flex min-w-0 flex-col gap-1">
      <figcaption className="flex items-center justify-between gap-2">
        <span className="font-medium">{label}</span>
        <CopyButton text={text} />
      </figcaption>
      <pre
        tabIndex={0}
        aria-label={label}
        className="foreign max-h-80 overflow-auto rounded-md border border-line bg-sunk p-2 font-mono text-xs whitespace-pre-wrap"
      >
        {text}
      </pre>
    </figure>
  );
}
