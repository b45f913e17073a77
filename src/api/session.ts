import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import type { Access } from '../access/access.ts';
import type { Caller } from '../access/caller.ts';
import { BOOTSTRAP } from '../access/keyring.ts';
import { Session, SessionInput, SignInLink } from '../schema/session.ts';
import { callerOfKey, unauthorized } from './auth.ts';
import { dropSession, originOf, readSession, sendSession } from './cookie.ts';
import { refuseForeignPage } from './csrf.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, jsonBody, problems } from './route.ts';
import { needs, OPEN } from './scopes.ts';

/** `/v1/session`: signs a browser in with a key, or with a link that was created with a key. */
export function createSessionRoutes(access: Access): OpenAPIHono<AppEnv> {
  const { sessions, trustProxy, publicUrl } = access;
  const app = createRoutes();

  app.openapi(SIGN_IN, async (c) => {
    refuseForeignPage(c);
    const input = c.req.valid('json');
    const caller = await ('token' in input
      ? callerOfToken(input.token)
      : callerOfKey(input.api_key, access, unknownKey));
    const { token, expiresAt } = await sessions.open(caller);
    sendSession(c, token, trustProxy);
    return c.json(toSession(caller, 'session', expiresAt), 200, NOT_KEPT);
  });

  app.openapi(WHO, (c) => {
    const { caller, sessionEndsAt } = c.var;
    const session =
      sessionEndsAt === undefined
        ? toSession(caller, 'key', caller.expiresAt)
        : toSession(caller, 'session', sessionEndsAt);
    return c.json(session, 200, NOT_KEPT);
  });

  app.openapi(SIGN_OUT, async (c) => {
    const token = readSession(c);
    if (token !== undefined) await sessions.close(token);
    dropSession(c, trustProxy);
    return c.body(null, 204);
  });

  app.openapi(LINK, async (c) => {
    const { token, expiresAt } = await sessions.issue(c.var.caller);
    const url = `${publicUrl ?? originOf(c, trustProxy)}/signin#token=${token}`;
    return c.json({ url, expires_at: expiresAt }, 201, NOT_KEPT);
  });

  async function callerOfToken(token: string): Promise<Caller> {
    const caller = await sessions.redeem(token);
    if (caller === null) throw unauthorized('This sign-in link was already used, or has expired');
    return caller;
  }

  return app;
}

/** The key was typed into a form, so nothing is said of headers. */
const unknownKey = () => unauthorized('Unknown API key');

const NOT_KEPT = { 'cache-control': 'no-store' };

function toSession(caller: Caller, via: Session['via'], expiresAt: string | null): Session {
  const { id, name, scopes } = caller;
  return {
    name,
    api_key_id: id === BOOTSTRAP.id ? null : id,
    scopes: [...scopes],
    via,
    expires_at: expiresAt,
  };
}

const about = { tags: ['Sign-in'], path: '/v1/session' };

const SIGN_IN = createRoute({
  ...about,
  security: OPEN,
  method: 'post',
  summary: 'Sign in',
  description:
    'Sets the cookie `millrace_session`, which ends 12 hours after its last use and has the scopes of ' +
    'the key. Changes with it need `Sec-Fetch-Site: same-origin` or the `Origin` of the API.',
  request: { body: jsonBody(SessionInput) },
  responses: { 200: json(Session, 'The session'), ...problems(400, 413, 415, 422) },
});

const WHO = createRoute({
  ...about,
  security: needs(),
  method: 'get',
  summary: 'Read the current session or key',
  responses: { 200: json(Session, 'The session, or the key'), ...problems() },
});

const SIGN_OUT = createRoute({
  ...about,
  security: needs(),
  method: 'delete',
  summary: 'Sign out',
  responses: { 204: { description: 'Signed out' }, ...problems() },
});

const LINK = createRoute({
  tags: about.tags,
  security: needs('manage'),
  method: 'post',
  path: '/v1/session/links',
  summary: 'Create a one-time sign-in link',
  description:
    'The first browser that opens it within 15 minutes is signed in with the scopes of this key.',
  responses: { 201: json(SignInLink, 'The link'), ...problems() },
});
