import { domainToASCII, domainToUnicode } from 'node:url';

import type { IdnHost } from '../schema/target.ts';

/** The two forms of a URL's host; null unless it is internationalised (RFC 5890), whichever form was given. */
export function idnHostOf(url: string): Omit<IdnHost, 'pointer'> | null {
  const ascii = domainToASCII(URL.parse(url)?.hostname ?? '');
  const unicode = domainToUnicode(ascii);
  return ascii === unicode || ascii === '' ? null : { ascii, unicode };
}

/** The internationalised hosts of a target's URLs, by the field of the URL. */
export function idnHostsOf(target: {
  base_url: string;
  credentials: { type: string; token_url?: string };
}): IdnHost[] {
  const urls = {
    '/base_url': target.base_url,
    '/credentials/token_url': target.credentials.token_url,
  };
  return Object.entries(urls).flatMap(([pointer, url]) => {
    const host = url === undefined ? null : idnHostOf(url);
    return host === null ? [] : [{ pointer, ...host }];
  });
}
