import type { AnswerRow } from '../../support/answerRow.ts';

/** A host with several addresses, in the order in which DNS gives them. */
export const PLACES: AnswerRow[] = [
  { when: 'takes it at its first address', addresses: ['listens', 'refuses'], kept: true },
  { when: 'refuses at its first address', addresses: ['refuses', 'listens'], kept: true },
  { when: 'has no route to its first address', addresses: ['no route', 'listens'], kept: true },
  { when: 'says nothing at its first address', addresses: ['silent', 'listens'], kept: true },
  {
    when: 'refuses at all its addresses',
    addresses: ['refuses', 'refuses'],
    code: 'CONNECTION_REFUSED',
    phase: 'connect',
    says: 'connection refused',
  },
  {
    when: 'has no route to its first address and refuses at the second',
    addresses: ['no route', 'refuses'],
    code: 'CONNECTION_REFUSED',
    phase: 'connect',
    says: 'connection refused',
  },
  {
    when: 'says nothing at one address and refuses at the other',
    addresses: ['silent', 'refuses'],
    timeoutMs: 600,
    code: 'TIMEOUT',
    phase: 'connect',
    says: 'connecting took too long',
  },
  {
    when: 'says nothing at its only address',
    addresses: ['silent'],
    timeoutMs: 600,
    code: 'TIMEOUT',
    phase: 'connect',
    says: 'connecting took too long',
  },
];
