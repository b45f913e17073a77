/** What the worker registers. */
export { consumer } from './consumer.ts';
