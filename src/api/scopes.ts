import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';

import { Scope } from '../schema/apiKey.ts';
import type { AppEnv } from './env.ts';

type Security = { bearer: string[] } | { session: string[] };

/** The `security` of a route that requires a key, or a session of one, with this scope; without a scope any key. */
export function needs(scope?: Scope): Security[] {
  const scopes = scope === undefined ? [] : [scope];
  return [{ bearer: scopes }, { session: scopes }];
}

/** The `security` of a route that needs no key. */
export const OPEN: Security[] = [];

/** What a route needs: a scope, no key (`open`), or any key (`any`). */
export type Need = Scope | 'open' | 'any';

/** The needs of all routes, by `METHOD /path/:param`. */
export type Needs = Map<string, Need>;

/** The document itself, which is not described in it. */
const UNDOCUMENTED = new Set(['GET /v1/openapi.json']);

/** Collects the needs of all routes. Throws for a route of `/v1` that does not declare any. */
export function needsOf(app: OpenAPIHono<AppEnv>): Needs {
  const needed: Needs = new Map([...UNDOCUMENTED].map((name) => [name, 'open']));
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, security } = definition.route;
    const need = needOf(security);
    if (need === null) continue;
    needed.set(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/gu, ':$1')}`, need);
  }
  for (const { method, path } of app.routes) {
    if (method === 'ALL' || !path.startsWith('/v1/') || needed.has(`${method} ${path}`)) continue;
    throw new Error(`${method} ${path} declares no scope: give its route security: needs(…)`);
  }
  return needed;
}

/** Whether a route will answer the request, rather than the handlers of 404 and 405. */
export function isServed(c: Context<AppEnv>): boolean {
  const first = matchedRoutes(c).find(({ path }) => !path.endsWith('*')); // the others are middleware
  return first !== undefined && first.method !== 'ALL';
}

/** What the route needs that will answer the request; null when none will. */
export function needOfRequest(c: Context<AppEnv>, needed: Needs): Need | null {
  for (const { method, path } of matchedRoutes(c)) {
    if (method === 'ALL') continue;
    const need = needed.get(`${method} ${path}`);
    if (need === undefined) throw new Error(`${method} ${path} declares no scope`);
    return need;
  }
  return null;
}

function needOf(security: Record<string, string[]>[] | undefined): Need | null {
  if (security === undefined) return null;
  if (security.length === 0) return 'open';
  const scopes = Object.values(security[0] ?? {})[0] ?? [];
  return scopes.length === 0 ? 'any' : Scope.parse(scopes[0]);
}
