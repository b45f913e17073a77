import { useNavigate } from '@tanstack/react-router';

import { useRefusal } from './session.ts';
import { Menu } from './ui/menu.tsx';

/** The things that can be added, with the same words everywhere. */
const KINDS = {
  target: { label: 'Webhook endpoint', to: '/targets/new' },
  consumer: { label: 'Webhooks', to: '/consumers/new' },
  source: { label: 'Postgres', to: '/sources/new' },
} as const;

/** The menu that leads to the form for a new target, consumer (with `target` if given), or source. */
export function AddNew(props: {
  kind: keyof typeof KINDS;
  /** The id of the target that the consumer will send to. */
  target?: string;
  isPlain?: boolean;
}) {
  const { kind, target, isPlain = false } = props;
  const navigate = useNavigate();
  const refusal = useRefusal('manage');
  const { label, to } = KINDS[kind];
  const search = target === undefined ? {} : { target };
  return (
    <Menu
      title="Add new"
      kind={isPlain ? 'plain' : 'main'}
      refusal={refusal}
      items={[{ label, onSelect: () => void navigate({ to, search }) }]}
    />
  );
}
