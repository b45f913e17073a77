import type { Locator } from 'playwright-core';

/** What is said to be wrong with a field, in the text that describes it; null when it is not marked as wrong. */
export async function saidOf(field: Locator): Promise<string | null> {
  if ((await field.getAttribute('aria-invalid')) !== 'true') return null;
  const about = (await field.getAttribute('aria-describedby')) ?? '';
  return field.page().locator(`[id="${about}"]`).textContent();
}

/** Whether an element has the focus; for `evaluate`. */
export const isFocused = (input: { matches(selectors: string): boolean }): boolean =>
  input.matches(':focus');
