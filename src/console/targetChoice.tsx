import { api } from './api.ts';
import { FoundChoice } from './foundChoice.tsx';
import { shownUrl } from './targets/shownUrl.ts';

/** Chooses one of all targets by a part of its name or URL, while none is chosen. */
export function TargetChoice(props: { placeholder: string; onPick: (id: string) => void }) {
  return (
    <FoundChoice
      {...props}
      label="Target"
      of="targets"
      list={api.targets.list}
      optionOf={(target) => ({ value: target.id, text: target.name, about: shownUrl(target) })}
      value=""
    />
  );
}
