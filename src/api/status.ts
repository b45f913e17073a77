import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import type { ConsumerStatus } from '../schema/consumer.ts';
import type { Info } from '../schema/info.ts';
import { Status } from '../schema/status.ts';
import type { AppEnv } from './env.ts';
import { holds, type Check } from './probes.ts';
import { createRoutes, json, problems } from './route.ts';
import { needs } from './scopes.ts';

/** The figures of all consumers, and singly of those in the most trouble. */
export interface Figures {
  consumers: { id: string; status: ConsumerStatus; parked: number; dead: number }[];
  all: Record<ConsumerStatus | 'parked' | 'dead' | 'entries' | 'seconds', number> & {
    exact: boolean;
  };
  cannotStart: Record<string, number>;
  unsent: number;
}

/** What `/v1/status` needs. */
export interface StatusRouteDeps {
  info: Pick<Info, 'version' | 'region'>;
  /** Whether each part answers, by name; `database` among them. */
  parts: Record<string, Check>;
  figures: () => Promise<Figures>;
}

/** `/v1/status`: what runs, and what is wrong, in a few queries however many consumers there are. */
export function createStatusRoutes({ info, parts, figures }: StatusRouteDeps): OpenAPIHono<AppEnv> {
  const app = createRoutes();
  app.openapi(STATUS, async (c) => {
    const names = Object.keys(parts);
    const answers = await Promise.all(Object.values(parts).map(holds));
    const found = Object.fromEntries(names.map((name, index) => [name, answers[index] === true]));
    const { version, region } = info;
    const counted = found['database'] === false ? null : toFigures(await figures());
    return c.json({ version, region, parts: found, figures: counted }, 200);
  });
  return app;
}

function toFigures({ consumers, all, cannotStart, unsent }: Figures): Status['figures'] {
  return {
    consumers: {
      active: all.active,
      paused: all.paused,
      blocked: all.blocked,
      stopped: all.stopped,
    },
    lag: { entries: all.entries, seconds: all.seconds, exact: all.exact },
    parked: all.parked,
    dead_letters: all.dead,
    cannot_start: Object.values(cannotStart).reduce((sum, many) => sum + many, 0),
    outbox: unsent,
    worst: consumers
      .filter((one) => one.parked + one.dead > 0 || ['blocked', 'stopped'].includes(one.status))
      .map(({ id, status, parked: held, dead: letters }) => ({
        consumer_id: id,
        status,
        parked: held,
        dead_letters: letters,
      })),
  };
}

const STATUS = createRoute({
  tags: ['Process'],
  security: needs('read'),
  method: 'get',
  path: '/v1/status',
  summary: 'Read what is running, and what is wrong',
  responses: { 200: json(Status, 'The parts and the figures'), ...problems() },
});
