import { expect } from 'vitest';

/** The number that `someEvents` gave an entry, from the body of its webhook. */
export function numberOf(body: string): number {
  return Number(/"n":(\d+)/u.exec(body)?.[1]);
}

/** Expects the entries of each record in order; those of `someEvents` take turns over `records` records. */
export function expectInOrder(received: readonly { position: number }[], records: number): void {
  const newest = new Map<number, number>();
  for (const { position } of received) {
    const record = position % records;
    expect(position).toBeGreaterThan(newest.get(record) ?? 0);
    newest.set(record, position);
  }
}
