/** The part of a failure that decides the advice. */
export interface FailedBy {
  code: string | null;
  status: number | null;
}

const NO_BODY =
  'Nothing was sent: the expression of the body has no result for this entry. Mend it in the settings of the consumer.';

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/u;

/**
 * What to look at when no connection to a URL comes about, in a sentence or two that name its host and port in full, or
 * when there was nothing to send; null for any other failure.
 */
export function adviceOf({ code, status }: FailedBy, url: string): string | null {
  if (code === 'BODY_FAILED') return NO_BODY;
  const parsed = URL.parse(url);
  if (status !== null || parsed === null) return null;
  const { hostname } = parsed;
  if (code === 'DNS_FAILED')
    return `The host name ${hostname} was not found. Is it spelt correctly?`;
  if (code !== 'CONNECTION_REFUSED') return null;
  const place = LOOPBACK.test(hostname) ? ', on the machine where Millrace runs' : '';
  return `No connection to ${hostPort(parsed)} is accepted. Is your endpoint running on that port${place}?`;
}

/** The port is named also where it is the usual one. */
function hostPort({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
