import { expect, test } from 'vitest';

import { apiPage } from '../../src/api/apiPage.ts';
import type { Document } from '../../src/api/document.ts';
import { openOwnApp } from '../support/app.ts';

test('docs/api.md is up to date with the OpenAPI document (npm run docs writes it)', async () => {
  await using api = await openOwnApp();
  const response = await api.app.request('/v1/openapi.json');
  const page = apiPage((await response.json()) as Document);
  await expect(page).toMatchFileSnapshot('../../docs/api.md');
});
