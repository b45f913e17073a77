import type { DeadLetter, DeadLetterGroup } from '../../schema/deadLetter.ts';

/** A short name of a failure: `HTTP_4XX 404`, `TIMEOUT`. */
export function failureOf({ code, status }: Pick<DeadLetterGroup, 'code' | 'status'>): string {
  return status === null ? code : `${code} ${status}`;
}

/** What the detail of a failure says beyond its status. */
export function furtherOf({ status, detail }: DeadLetter['last_failure']): string {
  return detail === `HTTP ${status}` ? '' : detail;
}

/** The text of a group in the address. */
export function statusText(status: number | null): string {
  return status === null ? 'none' : String(status);
}

/** Whether a dead letter belongs to the chosen group, as the API filters by code only. */
export function isOf(letter: DeadLetter, status: string | undefined): boolean {
  return status === undefined || statusText(letter.last_failure.status) === status;
}
