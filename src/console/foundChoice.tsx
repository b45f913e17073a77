import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { useSettled } from './settled.ts';
import { Combobox, type Option } from './ui/combobox.tsx';

interface Props<T> {
  label: string;
  /** What is chosen among, as it begins the keys of its queries. */
  of: 'consumers' | 'sources' | 'targets';
  list: (query: { limit: number; q?: string }) => Promise<{ data: readonly T[] }>;
  optionOf: (one: T) => Option;
  /** The chosen id; empty when none is chosen. */
  value: string;
  shown?: string | undefined;
  placeholder: string;
  isSearch?: boolean;
  onPick: (id: string) => void;
}

/** Chooses one of many things that the API finds by what is typed. */
export function FoundChoice<T>({ of, list, optionOf, ...rest }: Props<T>) {
  const [text, setText] = useState('');
  const wanted = text.trim();
  const q = useSettled(wanted);
  const found = useQuery({
    queryKey: [of, 'choice', q],
    queryFn: () => list({ limit: 50, ...(q !== '' && { q }) }),
    placeholderData: keepPreviousData,
  });
  return (
    <Combobox
      {...rest}
      options={(found.data?.data ?? []).map(optionOf)}
      isLoading={q !== wanted || found.isPending || found.isPlaceholderData}
      onText={setText}
    />
  );
}
