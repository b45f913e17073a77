import type { DeadLetter, DeadLetterGroup } from '../../schema/deadLetter.ts';

/** `HTTP_4XX 404`, `TIMEOUT`. */
export function failureOf({ code, status }: Pick<DeadLetterGroup, 'code' | 'status'>): string {
  return status === null ? code : `${code} ${status}`;
}

/** What a failure's detail says beyond its status. */
export function furtherOf({ status, detail }: DeadLetter['last_failure']): string {
  return detail === `HTTP ${status}` ? '' : detail;
}

/** How a group stands in the address. */
export function statusText(status: number | null): string {
  return status === null ? 'none' : String(status);
}

/** Whether a letter is of the group that is chosen; the API filters by code alone. */
export function isOf(letter: DeadLetter, status: string | undefined): boolean {
  return status === undefined || statusText(letter.last_failure.status) === status;
}
