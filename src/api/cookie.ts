import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { CookieOptions } from 'hono/utils/cookie';

const NAME = 'millrace_session';
const SECONDS = 12 * 60 * 60;

/** The session's token, as its browser sends it. */
export function readSession(c: Context): string | undefined {
  return getCookie(c, NAME);
}

/** No script reads it, no other site sends it, and what came by https goes by https only. */
export function sendSession(c: Context, token: string, trustProxy: boolean): void {
  setCookie(c, NAME, token, { ...options(c, trustProxy), maxAge: SECONDS });
}

/** The browser forgets its session. */
export function dropSession(c: Context, trustProxy: boolean): void {
  deleteCookie(c, NAME, options(c, trustProxy));
}

/** Where the caller's browser finds us. `X-Forwarded-Proto` counts where a proxy is trusted to set it. */
export function originOf(c: Context, trustProxy: boolean): string {
  const url = new URL(c.req.url);
  const forwarded = trustProxy ? c.req.header('x-forwarded-proto') : undefined;
  const protocol = forwarded?.split(',')[0]?.trim() === 'https' ? 'https:' : url.protocol;
  return `${protocol}//${url.host}`;
}

function options(c: Context, trustProxy: boolean): CookieOptions {
  const secure = originOf(c, trustProxy).startsWith('https:');
  return { httpOnly: true, sameSite: 'Strict', path: '/', secure };
}
