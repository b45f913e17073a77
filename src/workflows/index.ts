/** The workflows that the worker registers. */
export { consumer } from './consumer.ts';
export { source } from './source.ts';
export { visits } from './visits.ts';
