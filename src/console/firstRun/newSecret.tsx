import { useQuery } from '@tanstack/react-query';

import { WholeSecret } from '../targets/secret.tsx';
import { Panel } from '../ui/panel.tsx';

/** Where the secret of a target that was just saved is handed to the first run; it never leaves this page's memory. */
export const NEW_SECRET = ['new-secret'] as const;

/** The signing secret of the target that was just saved; empty after a reload. */
export function NewSecret() {
  const { data: secret } = useQuery<string>({ queryKey: NEW_SECRET, enabled: false });
  if (secret === undefined) return null;
  return (
    <div className="mb-3 max-w-3xl">
      <Panel title="Signing secret">
        <WholeSecret secret={secret} />
      </Panel>
    </div>
  );
}
