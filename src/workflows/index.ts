/** The workflows that the worker registers. */
export { consumer } from './consumer.ts';
export { visits } from './visits.ts';
