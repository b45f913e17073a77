import { expect, test } from 'vitest';

import { urlFault } from '../../src/console/targets/urlFault.ts';

test.each([
  ['localhost:4801/hook', 'Write http://localhost:4801/hook.'],
  ['127.0.0.1:4801', 'Write http://127.0.0.1:4801.'],
  ['example.com/hook', 'Write https://example.com/hook.'],
  ['http:/example.com/hook', 'Write https://example.com/hook.'],
  ['ftp://example.com/hook', 'The URL must begin with http:// or https://.'],
  ['http://127.0.0.1:99999/hook', 'A port is at most 65535.'],
  ['http://my host/hook', 'The host must not contain a space.'],
  ['my host/hook', 'The host must not contain a space.'],
  ['http://example.com/my hook', 'A URL has no spaces: write %20 instead.'],
  ['http://127.0.0.1:0/hook', 'The URL must not have port 0.'],
  [
    'https://example.com/hook#part',
    'The URL must not contain #: endpoints never get what follows it.',
  ],
  [
    'https://user:password@example.com',
    'Leave the user name and the password out of the URL: credentials have fields of their own.',
  ],
  ['http://', 'This is not a URL. One looks like this: https://example.com/hook.'],
  ['  ', 'Fill in the URL of your endpoint, for example https://example.com/hook.'],
])('the form of a target says of "%s" how to write it', (typed, says) => {
  expect(urlFault(typed)).toBe(says);
});

test.each([
  ' http://localhost:4801/hook ',
  'https://example.com',
  'HTTPS://example.com/a?b=c',
  'http://[::1]:4801/hook',
  'https://münchen.example/hook',
])('the form of a target takes "%s"', (typed) => {
  expect(urlFault(typed)).toBeNull();
});
