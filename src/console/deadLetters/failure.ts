import type { DeadLetter, DeadLetterGroup } from '../../schema/deadLetter.ts';

/** A short name of a failure: `HTTP_4XX 404`, `TIMEOUT`. */
export function failureOf({ code, status }: Pick<DeadLetterGroup, 'code' | 'status'>): string {
  return status === null ? code : `${code} ${status}`;
}

/** What the detail of a failure says beyond its code and its status. */
export function furtherOf({ status, detail }: DeadLetter['last_failure']): string {
  if (detail === `HTTP ${status}`) return '';
  return detail.replace(/^the expression of the body has no value: /u, '');
}

/** The status of a failure as the API filters by it. */
export function statusText(status: number | null): string {
  return status === null ? 'none' : String(status);
}

/** The status in an address as the API filters by it; undefined for a text that can't be one. */
export function statusIn(text: string | undefined): string | undefined {
  return text !== undefined && /^(?:[1-5]\d\d|none)$/u.test(text) ? text : undefined;
}
