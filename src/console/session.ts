import { useQuery } from '@tanstack/react-query';

import type { Scope } from '../schema/apiKey.ts';
import { session } from './api.ts';
import { refusalOf } from './refusal.ts';

/** The session that is signed in; it is read again after a minute. */
export function useSession() {
  return useQuery({ queryKey: ['session'], queryFn: session.who, staleTime: 60_000 });
}

/** The reason why this session may not do something that needs a scope; null if it may. The API decides. */
export function useRefusal(needed: Scope): string | null {
  const { data: who } = useSession();
  return who === undefined ? null : refusalOf(who.scopes, needed);
}
