import { useQuery } from '@tanstack/react-query';

import { api } from './api.ts';
import { FoundChoice } from './foundChoice.tsx';

/** Chooses one of all sources by a part of its name or URL; empty when none is chosen. */
export function SourceChoice(props: {
  value: string;
  placeholder: string;
  onPick: (id: string) => void;
}) {
  const { value } = props;
  const chosen = useQuery({
    queryKey: ['source', value],
    queryFn: () => api.sources.get(value),
    enabled: value !== '',
  });
  return (
    <FoundChoice
      {...props}
      label="Source"
      of="sources"
      isSearch
      list={api.sources.list}
      optionOf={({ id, name, status }) => ({ value: id, text: name, about: status })}
      shown={chosen.data?.name}
    />
  );
}
