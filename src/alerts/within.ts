import type { Mail, Send, Taken } from './mail.ts';

/** Calls a function that sends, and rejects as soon as a signal is aborted, whatever that function does then. */
export async function within(
  send: Send,
  mail: Mail,
  late: AbortSignal,
  end: AbortSignal,
): Promise<Taken | void> {
  const signal = AbortSignal.any([late, end]);
  const cut = Promise.withResolvers<never>();
  const onAbort = (): void =>
    cut.reject(
      new Error(
        end.aborted ? 'the process ended before it was sent' : 'it was not accepted in time',
      ),
    );
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([send(mail, signal), cut.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
