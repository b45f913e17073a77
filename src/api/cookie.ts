import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { CookieOptions } from 'hono/utils/cookie';

const NAME = 'millrace_session';
const SECONDS = 12 * 60 * 60;

/** The token of the session cookie; undefined without one. */
export function readSession(c: Context): string | undefined {
  return getCookie(c, NAME);
}

/**
 * Sets the cookie so that scripts cannot read it and other sites cannot send it; once set over https, it is
 * sent over https only.
 */
export function sendSession(c: Context, token: string, trustProxy: boolean): void {
  setCookie(c, NAME, token, { ...options(c, trustProxy), maxAge: SECONDS });
}

/** Makes the browser forget the session. */
export function dropSession(c: Context, trustProxy: boolean): void {
  deleteCookie(c, NAME, options(c, trustProxy));
}

/** The API's origin as the caller's browser sees it; `X-Forwarded-Proto` counts only with a trusted proxy. */
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
