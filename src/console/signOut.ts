import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { session } from './api.ts';

/** Ends the session, and forgets what was read in it. */
export function useSignOut(): () => void {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const signOut = async (): Promise<void> => {
    await session.signOut().catch(() => undefined); // the cookie may have ended by itself
    await navigate({ to: '/signin' });
    queries.clear();
  };
  return () => void signOut();
}
