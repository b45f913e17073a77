import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api } from './api.ts';
import { useSettled } from './settled.ts';
import { Combobox } from './ui/combobox.tsx';

/** Chooses one of all consumers by its name; empty when none is chosen. */
export function ConsumerChoice(props: {
  value: string;
  placeholder: string;
  onPick: (id: string) => void;
}) {
  const { value } = props;
  const [text, setText] = useState('');
  const q = useSettled(text.trim());
  const found = useQuery({
    queryKey: ['consumers', 'choice', q],
    queryFn: () => api.consumers.list({ limit: 50, ...(q === '' ? {} : { q }) }),
    placeholderData: (before) => before,
  });
  const chosen = useConsumer(value);
  return (
    <Combobox
      label="Consumer"
      isSearch
      value={value}
      shown={chosen.data?.name}
      placeholder={props.placeholder}
      options={(found.data?.data ?? []).map(({ id, name, status }) => ({
        value: id,
        text: name,
        about: status,
      }))}
      isLoading={found.isFetching}
      onText={setText}
      onPick={props.onPick}
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
