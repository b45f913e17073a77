import { CopyButton } from '../ui/copyText.tsx';
import { Hint } from '../ui/notice.tsx';
import { VerifySnippet } from './verifySnippet.tsx';

/** Makes a signing secret of Standard Webhooks: `whsec_` and the base64 of 32 random bytes. */
export function newSigningSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}

/** Shows a whole signing secret, which is possible only here, and how a receiver verifies with it. */
export function WholeSecret({ secret }: { secret: string }) {
  return (
    <div className="flex flex-col gap-2">
      <Hint tone="warn">
        Copy the signing secret now: it is not shown again. Your receiver verifies each webhook with
        it.
      </Hint>
      <div className="flex flex-wrap items-center gap-2">
        <code data-secret className="foreign rounded bg-sunk px-2 py-1 font-mono">
          {secret}
        </code>
        <CopyButton text={secret} label="Copy the secret" />
      </div>
      <details>
        <summary>How a receiver verifies</summary>
        <div className="pt-2">
          <VerifySnippet />
        </div>
      </details>
    </div>
  );
}
