import { CopyButton } from '../ui/copyText.tsx';
import { Hint } from '../ui/notice.tsx';

/** Shows a whole signing secret, which is possible only this once. */
export function WholeSecret({ secret }: { secret: string }) {
  return (
    <div className="flex flex-col gap-2">
      <Hint tone="warn">
        Copy the signing secret now: it is shown this once. The receiver checks each webhook with
        it.
      </Hint>
      <div className="flex flex-wrap items-center gap-2">
        <code data-secret className="foreign rounded bg-sunk px-2 py-1 font-mono">
          {secret}
        </code>
        <CopyButton text={secret} label="Copy the secret" />
      </div>
    </div>
  );
}
