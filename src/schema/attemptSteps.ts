import type { AttemptTimings } from './attemptTrace.ts';

/** A step of an attempt, in the words that people read. */
export interface AttemptStep {
  key: keyof AttemptTimings;
  name: string;
  /** Whose time it is: it waited for its turn, it was on the way to the endpoint, or the endpoint took it. */
  of: 'queue' | 'way' | 'endpoint';
  /** What happened in it, in a sentence. */
  about: string;
}

/** All steps in their order; docs/cli.md has the same names. */
export const ATTEMPT_STEPS: readonly AttemptStep[] = [
  {
    key: 'lane',
    name: 'waited for its lane',
    of: 'queue',
    about: 'Entries before it in its order had to be delivered first.',
  },
  {
    key: 'pace',
    name: 'waited for its pace',
    of: 'queue',
    about:
      'Limits of the target or of the worker delayed the request, or its batch waited for others.',
  },
  {
    key: 'prepare',
    name: 'token or repetition',
    of: 'way',
    about: 'An access token was fetched, or the request was repeated once.',
  },
  {
    key: 'connection',
    name: 'waited for a connection',
    of: 'way',
    about: 'All connections to the endpoint were in use.',
  },
  { key: 'dns', name: 'DNS', of: 'way', about: 'The host name was looked up.' },
  { key: 'connect', name: 'connect', of: 'way', about: 'The connection was opened.' },
  { key: 'tls', name: 'TLS', of: 'way', about: 'The connection was secured.' },
  { key: 'request', name: 'request', of: 'endpoint', about: 'The request was written.' },
  {
    key: 'first_byte',
    name: 'first byte',
    of: 'endpoint',
    about: 'The endpoint had received the request, but had not answered yet.',
  },
  { key: 'body', name: 'body', of: 'endpoint', about: 'The response was read.' },
];
