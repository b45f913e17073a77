/** What a press is meant for. A menu opens when the button goes down, and lies over what was pressed then. */
const PRESSED = [
  'button:not([aria-haspopup="menu"])',
  'a[href]',
  'label',
  'input:is([type="checkbox"], [type="radio"])',
  'summary',
  '[role="option"]',
  '[role="row"]',
].join();
/** How far a hand may move, in CSS pixels, and still press what it pressed. */
const STILL_PX = 4;

/**
 * Makes a press count for what was pressed, also if that moves away below the mouse before its button is up, because
 * something above it was loaded meanwhile. A browser would click neither. As ever, a press counts for nothing once the
 * mouse itself has moved away, or what was pressed is gone.
 */
export function keepPresses(document: Document): void {
  let last: { pressed: HTMLElement; x: number; y: number } | null = null;
  document.addEventListener(
    'mousedown',
    (event) => {
      const pressed = isPlain(event) ? pressedAt(event) : null;
      last = pressed === null ? null : { pressed, x: event.clientX, y: event.clientY };
    },
    true,
  );
  document.addEventListener(
    'mouseup',
    (event) => {
      if (last === null || !isPlain(event)) return;
      const { pressed, x, y } = last;
      last = null;
      const isAtIt = event.target instanceof Node && pressed.contains(event.target);
      const isStill = Math.hypot(event.clientX - x, event.clientY - y) <= STILL_PX;
      if (!isAtIt && isStill && pressed.isConnected) pressed.click();
    },
    true,
  );
}

/** Whether it is of the main button of the mouse, and asks for no tab or window of its own. */
function isPlain({ button, ctrlKey, metaKey, shiftKey, altKey }: MouseEvent): boolean {
  return button === 0 && !ctrlKey && !metaKey && !shiftKey && !altKey;
}

function pressedAt({ target }: MouseEvent): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>(PRESSED) : null;
}
