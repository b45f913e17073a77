import { useQuery } from '@tanstack/react-query';

import { api } from './api.ts';
import { FoundChoice } from './foundChoice.tsx';

/** Chooses one of all consumers by its name; empty when none is chosen. */
export function ConsumerChoice(props: {
  value: string;
  placeholder: string;
  onPick: (id: string) => void;
}) {
  const chosen = useConsumer(props.value);
  return (
    <FoundChoice
      {...props}
      label="Consumer"
      of="consumers"
      isSearch
      list={api.consumers.list}
      optionOf={({ id, name, status }) => ({ value: id, text: name, about: status })}
      shown={chosen.data?.name}
    />
  );
}

/** Reads one consumer; nothing is read for an empty id. */
export function useConsumer(id: string) {
  return useQuery({
    queryKey: ['consumer', id, 'self'],
    queryFn: () => api.consumers.get(id),
    enabled: id !== '',
    refetchInterval: 5_000,
  });
}
