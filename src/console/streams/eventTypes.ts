import type { EventType } from '../../schema/stream.ts';

/** All types of events, in the order in which they are offered. */
export const EVENT_TYPES = ['created', 'updated', 'deleted'] as const satisfies EventType[];
