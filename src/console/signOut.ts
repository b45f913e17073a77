import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';

import { session } from './api.ts';
import { dropForms } from './useForm.ts';

/** Ends the session and forgets what was read in it; the next sign-in leads on to `next`. */
export function useSignOut(): (next?: string) => void {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const signOut = async (next?: string): Promise<void> => {
    await session.signOut().catch(() => undefined); // the session may have ended by itself
    await navigate({ to: '/signin', search: next === undefined ? {} : { next } });
    queries.clear();
    dropForms();
  };
  return (next) => void signOut(next);
}
