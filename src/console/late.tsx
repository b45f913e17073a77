import { lazy, Suspense, type ComponentType } from 'react';

import { Loading } from './ui/notice.tsx';

/** A part of a page that is a file of its own, loaded once it is shown; until then its place says that `what` loads. */
export function late<Props extends object>(
  what: string,
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  const Part = lazy(async () => ({ default: await load() })) as unknown as ComponentType<Props>;
  return function Late(props: Props) {
    return (
      <Suspense fallback={<Loading what={what} />}>
        <Part {...props} />
      </Suspense>
    );
  };
}
