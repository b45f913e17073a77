import { Slot } from 'radix-ui';
import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type MouseEvent,
  type ReactElement,
  type ReactNode,
} from 'react';
import { createPortal } from 'react-dom';

const DELAY_MS = 250;
const GAP = 4;

/**
 * Further words about an element, shown on hover and focus; they are never shown only here. With `onTap` a finger's
 * tap shows them as well, unless the element is in a link or a button. Written by hand, as radix-ui's tooltip would
 * be a tenth of all our JavaScript.
 */
export function Tooltip(props: { text: ReactNode; onTap?: boolean; children: ReactElement }) {
  const { text, onTap = false, children } = props;
  const id = useId();
  const [place, setPlace] = useState<DOMRect | null>(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const show = (element: Element, ms: number): void => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setPlace(element.getBoundingClientRect()), ms);
  };
  const hide = (): void => {
    clearTimeout(timer.current);
    setPlace(null);
  };
  const tapped = (event: MouseEvent): void => {
    const { nativeEvent: tap, currentTarget: element } = event;
    const isTouch = tap instanceof PointerEvent && tap.pointerType === 'touch';
    if (!isTouch || element.closest('a,button') !== null) return;
    event.stopPropagation(); // what is behind it, such as a row, does not open as well
    show(element, 0);
  };
  return (
    <>
      <Slot.Root
        onPointerEnter={(event) => {
          if (event.pointerType !== 'touch') show(event.currentTarget, DELAY_MS);
        }}
        onPointerLeave={(event) => {
          if (event.pointerType !== 'touch') hide();
        }}
        {...(onTap && { onClick: tapped })}
        onFocus={(event) => show(event.currentTarget, 0)}
        onBlur={hide}
        {...(place === null ? {} : { 'aria-describedby': id })}
      >
        {children}
      </Slot.Root>
      {place !== null &&
        createPortal(
          <Bubble id={id} place={place} onHide={hide}>
            {text}
          </Bubble>,
          document.body,
        )}
    </>
  );
}

function Bubble(props: { id: string; place: DOMRect; onHide: () => void; children: ReactNode }) {
  const { id, place, onHide } = props;
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const { offsetWidth: width, offsetHeight: height } = element;
    const below = place.bottom + GAP;
    const top = below + height > innerHeight ? place.top - GAP - height : below;
    const left = Math.max(GAP, Math.min(place.left, innerWidth - width - GAP));
    element.style.transform = `translate(${left}px, ${Math.max(GAP, top)}px)`;
  }, [place]);
  const hide = useRef(onHide);
  hide.current = onHide;
  useEffect(() => {
    const away = (): void => hide.current();
    const onKey = ({ key }: KeyboardEvent): void => {
      if (key === 'Escape') away();
    };
    addEventListener('scroll', away, true);
    addEventListener('pointerdown', away, true);
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('scroll', away, true);
      removeEventListener('pointerdown', away, true);
      removeEventListener('keydown', onKey);
    };
  }, []);
  return (
    <div
      ref={box}
      id={id}
      role="tooltip"
      className="foreign pointer-events-none fixed top-0 left-0 z-60 max-w-80 rounded-md border border-line bg-panel px-2 py-1 text-ink shadow-pop"
    >
      {props.children}
    </div>
  );
}
