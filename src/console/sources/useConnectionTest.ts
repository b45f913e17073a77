import { useMutation } from '@tanstack/react-query';

import type { SourceTest } from '../../schema/source.ts';
import type { SourceDraft } from './draft.ts';

/** What a connection depends on. */
export interface Address {
  url: string;
  /** PEM; null for the public authorities. */
  ca: string | null;
}

/** Tests the connection of a draft, and knows whether what was found is of another address than the draft has now. */
export function useConnectionTest(ask: (address: Address) => Promise<SourceTest>) {
  const { data, error, isPending, mutate, variables, reset } = useMutation({ mutationFn: ask });
  return {
    data,
    error,
    isPending,
    reset,
    run: (draft: SourceDraft) => mutate(addressOf(draft)),
    isOlder: (draft: SourceDraft) => JSON.stringify(variables) !== JSON.stringify(addressOf(draft)),
  };
}

function addressOf({ url, ca }: SourceDraft): Address {
  return { url: url.trim(), ca: ca.trim() === '' ? null : ca };
}
