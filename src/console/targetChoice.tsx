import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { api } from './api.ts';
import { useSettled } from './settled.ts';
import { shownUrl } from './targets/shownUrl.ts';
import { Combobox } from './ui/combobox.tsx';

/** Chooses one of all targets by a part of its name or URL, while none is chosen. */
export function TargetChoice(props: { placeholder: string; onPick: (id: string) => void }) {
  const [text, setText] = useState('');
  const q = useSettled(text.trim());
  const found = useQuery({
    queryKey: ['targets', 'choice', q],
    queryFn: () => api.targets.list({ limit: 50, ...(q !== '' && { q }) }),
    placeholderData: keepPreviousData,
  });
  return (
    <Combobox
      label="Target"
      value=""
      placeholder={props.placeholder}
      options={(found.data?.data ?? []).map((target) => ({
        value: target.id,
        text: target.name,
        about: shownUrl(target),
      }))}
      isLoading={found.isFetching}
      onText={setText}
      onPick={props.onPick}
    />
  );
}
