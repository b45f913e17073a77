import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';

import { Scope } from '../schema/apiKey.ts';
import type { AppEnv } from './env.ts';

type Security = { bearer: string[] } | { session: string[] };

/** `security` of a route: the scope a key, or a session of one, must have; without one any key will do. */
export function needs(scope?: Scope): Security[] {
  const scopes = scope === undefined ? [] : [scope];
  return [{ bearer: scopes }, { session: scopes }];
}

/** `security` of a route that takes no key. */
export const OPEN: Security[] = [];

/** `open`: no key; `any`: a key, whatever its scopes. */
export type Need = Scope | 'open' | 'any';

/** What each route needs, by `METHOD /path/:param`. */
export type Needs = Map<string, Need>;

/** Not in the document: it is the document. */
const UNDOCUMENTED = new Set(['GET /v1/openapi.json']);

/** Throws for a route of `/v1` that does not declare what it needs: nobody could use it. */
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

/** Whether a route will answer, and not the 404 or 405. */
export function isServed(c: Context<AppEnv>): boolean {
  return matchedRoutes(c).some(({ method }) => method !== 'ALL');
}

/** What the route that will answer needs; null where none will. */
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
