/** Changes that must not be made twice when the answer to the first request was lost. */
const ONCE = /^\/v1\/(targets|consumers|sources|api-keys|records|events)$|\/(resend|replay)$/u;

/**
 * A `fetch` that gives each such change an `Idempotency-Key`. The same change has the same key for as long as no answer
 * has come, so that a person who saves again after the connection broke does not create a second consumer. After an
 * answer, the same change is meant once more.
 */
export function onceEach(send: typeof fetch, newKey: () => string): typeof fetch {
  const unanswered = new Map<string, string>();
  return async (input, init) => {
    const path = typeof input === 'string' ? input : '';
    if (init?.method !== 'POST' || !ONCE.test(path)) return send(input, init);
    const change = `${path} ${typeof init.body === 'string' ? init.body : ''}`;
    const key = unanswered.get(change) ?? newKey();
    unanswered.set(change, key);
    const headers = new Headers(init.headers);
    headers.set('idempotency-key', key);
    const response = await send(input, { ...init, headers });
    if (response.status < 500) unanswered.delete(change);
    return response;
  };
}
