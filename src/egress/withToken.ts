import type { Outcome } from '../rules/outcome.ts';
import { outcomeOfError } from './networkError.ts';
import { TokenFailure, type TokenSource } from './oauth.ts';

/** A request that is ready to be written. */
export interface Post {
  path: string;
  method: 'POST';
  headers: string[];
  body: Buffer;
}

/** A request as far as its token is concerned. */
interface TokenRequest {
  readonly startedMono: number;
  refused: (() => void) | null;
  token: string | null;
  dispatch(post: Post, at: number): void;
}

/**
 * Dispatches a request with the token of a source, synchronously while the source holds one. When that token is refused,
 * it is replaced and the request repeated, once. Nothing is dispatched when the request is no longer `open` by then;
 * without a token it `ends`.
 */
export function dispatchWithToken(
  request: TokenRequest,
  post: Post,
  source: TokenSource,
  owner: { open: () => boolean; ends: (outcome: Outcome) => void },
): void {
  let used = source.current();
  let isFirst = used !== null;
  request.refused = () => {
    request.refused = null;
    fetchToken();
  };
  if (used === null) fetchToken();
  else dispatch(used);

  function dispatch(token: string): void {
    used = token;
    request.token = token;
    const headers = [...post.headers, 'authorization', `Bearer ${token}`];
    request.dispatch({ ...post, headers }, isFirst ? request.startedMono : performance.now());
    isFirst = false;
  }

  function fetchToken(): void {
    source.renew(used).then(
      (token) => {
        if (owner.open()) dispatch(token);
      },
      (error: unknown) =>
        owner.ends(error instanceof TokenFailure ? error.outcome : outcomeOfError(error)),
    );
  }
}
