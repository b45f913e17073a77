import type { Page } from 'playwright-core';

/** A text that was drawn on a canvas that is still in the page. */
export interface DrawnText {
  text: string;
  /** CSS pixels within the canvas, which is `width` wide. */
  left: number;
  right: number;
  width: number;
  px: number;
}

/** What canvases show as text; the page must have begun with `RECORD_TEXTS`. */
export function drawnTexts(page: Page): Promise<DrawnText[]> {
  return page.evaluate<DrawnText[]>('window.drawnTexts ?? []');
}

/** A script for the beginning of a page: it keeps what is drawn as text on canvases. */
export const RECORD_TEXTS = `{
  const drawn = [];
  const fill = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    const scale = devicePixelRatio;
    const size = this.measureText(text).width;
    const at = this.getTransform().transformPoint({ x, y }).x;
    const left = at - (this.textAlign === 'right' ? size : this.textAlign === 'center' ? size / 2 : 0);
    drawn.push({ canvas: this.canvas, text, left: left / scale, right: (left + size) / scale,
      width: this.canvas.width / scale, px: parseFloat(/([\\d.]+)px/.exec(this.font)[1]) / scale });
    return fill.call(this, text, x, y, ...rest);
  };
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    for (let at = drawn.length - 1; at >= 0; at -= 1) if (drawn[at].canvas === this.canvas) drawn.splice(at, 1);
    return clear.apply(this, box);
  };
  Object.defineProperty(window, 'drawnTexts', { get: () => drawn
    .filter(({ canvas }) => canvas.isConnected).map(({ canvas, ...one }) => one) });
}`;
