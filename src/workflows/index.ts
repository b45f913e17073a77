/** The workflows that the worker registers. */
export { consumer } from './consumer.ts';
