import { useQuery } from '@tanstack/react-query';

import type { Scope } from '../schema/apiKey.ts';
import { session } from './api.ts';
import { refusalOf } from './refusal.ts';

/** Who is signed in; asked again when that is a minute old. */
export function useSession() {
  return useQuery({ queryKey: ['session'], queryFn: session.who, staleTime: 60_000 });
}

/** Why whoever is signed in may not do what needs a scope; null where they may. The API judges. */
export function useRefusal(needed: Scope): string | null {
  const { data: who } = useSession();
  return who === undefined ? null : refusalOf(who.scopes, needed);
}
