import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import { session } from '../api.ts';
import { textOf } from '../search.ts';
import { Button } from '../ui/button.tsx';
import { TextField } from '../ui/field.tsx';
import { Unsaved } from '../ui/notice.tsx';

export function signInSearch(search: Record<string, unknown>): { next?: string } {
  const next = textOf(search, 'next');
  // Only pages of this console are allowed: //host and /\host are other sites.
  return next !== undefined && /^\/(?![/\\])/u.test(next) ? { next } : {};
}

/** Takes the token of a sign-in link, and removes it from the address before anything else happens. */
const token = takeToken();

function takeToken(): string | null {
  const { pathname, hash } = location;
  if (pathname !== '/signin' || !hash.startsWith('#token=')) return null;
  history.replaceState(null, '', pathname + location.search);
  return hash.slice('#token='.length);
}

/** Signs in with an API key or a link's token; the answer is a cookie that no script reads. */
export function SignInPage() {
  const { next } = useSearch({ from: '/signin' });
  const navigate = useNavigate();
  const router = useRouter();
  const queries = useQueryClient();
  const [key, setKey] = useState('');
  const signIn = useMutation({
    mutationFn: session.signIn,
    onSuccess: async (who) => {
      setKey('');
      queries.clear();
      queries.setQueryData(['session'], who);
      if (next === undefined) await navigate({ to: '/', replace: true });
      else router.history.replace(next);
    },
  });
  const { mutate } = signIn;
  useEffect(() => {
    if (token !== null && !tried.has(token)) {
      tried.add(token);
      mutate({ token });
    }
  }, [mutate]);

  return (
    <main className="mx-auto flex min-h-dvh max-w-sm flex-col justify-center gap-4 p-4">
      <h1 className="text-xl font-semibold">Sign in to Millrace</h1>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          mutate({ api_key: key.trim() });
        }}
      >
        <TextField
          label="API key"
          type="password"
          name="api_key"
          autoComplete="current-password"
          autoFocus
          required
          value={key}
          onChange={(event) => setKey(event.target.value)}
          hint="npm start prints an API key, and a link that signs in once."
        />
        <Unsaved error={signIn.error} />
        <Button type="submit" kind="main" busy={signIn.isPending}>
          {signIn.isPending ? 'Signing in…' : 'Sign in'}
        </Button>
      </form>
    </main>
  );
}

/** Signs in with a token once, however often the page is drawn. */
const tried = new Set<string>();
