import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api } from './api.ts';
import { useSettled } from './settled.ts';
import { Combobox } from './ui/combobox.tsx';

/** Chooses one of all sources by a part of its name or URL; empty when none is chosen. */
export function SourceChoice(props: {
  value: string;
  placeholder: string;
  onPick: (id: string) => void;
}) {
  const { value } = props;
  const [text, setText] = useState('');
  const q = useSettled(text.trim());
  const found = useQuery({
    queryKey: ['sources', 'choice', q],
    queryFn: () => api.sources.list({ limit: 50, ...(q !== '' && { q }) }),
    placeholderData: keepPreviousData,
  });
  const chosen = useQuery({
    queryKey: ['source', value],
    queryFn: () => api.sources.get(value),
    enabled: value !== '',
  });
  return (
    <Combobox
      label="Source"
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
