import { useState } from 'react';

import { late } from '../late.tsx';
import { Button } from '../ui/button.tsx';
import { Panel } from '../ui/panel.tsx';
import type { ShapeProps } from './shapeFields.tsx';

const ShapeFields = late(
  'the choices',
  async () => (await import('./shapeFields.tsx')).ShapeFields,
);

/** What a new consumer's requests carry, the whole of each entry unless it is chosen otherwise. */
export function ShapePanel(props: ShapeProps) {
  const { body, batch } = props.shape;
  const [isOpen, setOpen] = useState(body.mode !== 'full' || batch !== null);
  return (
    <Panel title="What each request carries">
      {isOpen ? (
        <ShapeFields {...props} />
      ) : (
        <>
          <p className="text-soft">One entry, whole. This can be changed later, while it runs.</p>
          <div>
            <Button onClick={() => setOpen(true)}>Choose another body, or batches</Button>
          </div>
        </>
      )}
    </Panel>
  );
}
