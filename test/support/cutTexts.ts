import type { Page } from 'playwright-core';

/**
 * The texts of a page that are cut off at a side, a line each: they reach out of a box that hides what is outside of
 * it, or out of their cell to the next one, and no ellipsis says so. What can be scrolled to is not cut off.
 */
export function cutTexts(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(CUT_TEXTS);
}

const CUT_TEXTS = `(() => {
  const CELL = 'td, th, [role=cell], [role=columnheader]';
  const GAP = 8; // less than there is between cells
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  /** The box that cuts off a part of the text; null: all of it is seen, can be scrolled to, or ends in an ellipsis. */
  const cutterOf = (box, element) => {
    for (let around = element; around !== null; around = around.parentElement) {
      const look = getComputedStyle(around);
      if (['auto', 'scroll'].includes(look.overflowX)) return null;
      const isOpen = look.overflowX === 'visible';
      if (isOpen && !around.matches(CELL)) continue;
      const place = around.getBoundingClientRect();
      if (place.width <= 1) return null; // for screen readers alone
      const reach = isOpen ? GAP : 1;
      if (box.right <= place.right + reach && box.left >= place.left - reach) continue;
      return look.textOverflow === 'ellipsis' ? null : around;
    }
    return null;
  };
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const element = text.parentElement;
    if (text.data.trim() === '' || element.closest('script, style, noscript, select, textarea, .sr-only')) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    range.selectNodeContents(text);
    for (const box of range.getClientRects()) {
      const cutter = box.width === 0 ? null : cutterOf(box, element);
      if (cutter === null) continue;
      const place = cutter.getBoundingClientRect();
      found.push('"' + text.data.trim().slice(0, 40) + '" from ' + Math.round(box.left) + ' to ' + Math.round(box.right) +
        ' in ' + cutter.tagName + ' ' + (cutter.getAttribute('class') ?? '').slice(0, 60) + ' from ' + Math.round(place.left) + ' to ' +
        Math.round(place.right));
      break;
    }
  }
  return found;
})()`;
