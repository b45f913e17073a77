import { expect, test } from 'vitest';

import { adviceOf } from '../../src/console/attempts/advice.ts';

test.each([
  [
    'https://example.com/hook',
    'No connection to example.com:443 is accepted. Is your endpoint running on that port?',
  ],
  [
    'http://example.com:8080/',
    'No connection to example.com:8080 is accepted. Is your endpoint running on that port?',
  ],
  [
    'http://localhost/hook',
    'No connection to localhost:80 is accepted. Is your endpoint running on that port, on the machine where Millrace runs?',
  ],
  [
    'http://[::1]:4801',
    'No connection to [::1]:4801 is accepted. Is your endpoint running on that port, on the machine where Millrace runs?',
  ],
])('a connection that is refused names the host and the port of %s', (url, says) => {
  expect(adviceOf({ code: 'CONNECTION_REFUSED', status: null }, url)).toBe(says);
});

test('advice is given only where no connection came about, or where there was nothing to send', () => {
  const url = 'https://example.com';
  expect(adviceOf({ code: 'DNS_FAILED', status: null }, url)).toBe(
    'The host name example.com was not found. Is it spelt correctly?',
  );
  expect(adviceOf({ code: 'BODY_FAILED', status: null }, '')).toMatch(/expression of the body/u);
  expect(adviceOf({ code: 'HTTP_5XX', status: 503 }, url)).toBeNull();
  expect(adviceOf({ code: 'TIMEOUT', status: null }, url)).toBeNull();
  expect(adviceOf({ code: null, status: null }, url)).toBeNull();
  expect(adviceOf({ code: 'CONNECTION_REFUSED', status: null }, '')).toBeNull();
});
