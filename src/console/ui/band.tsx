import type { ReactNode } from 'react';

const LOOKS = {
  bad: { box: 'border-bad bg-bad-soft', mark: 'text-bad', shape: '■' },
  warn: { box: 'border-warn bg-warn-soft', mark: 'text-warn', shape: '▲' },
  idle: { box: 'border-line-strong bg-sunk', mark: 'text-soft', shape: '‖' },
} as const;

export type BandTone = keyof typeof LOOKS;

/** Why something does not do its work, above everything else on its page, with the way to end it beside it. */
export function Band(props: {
  label: string;
  tone: BandTone;
  title: ReactNode;
  meaning?: ReactNode;
  facts?: readonly (readonly [name: string, value: ReactNode])[];
  children?: ReactNode;
}) {
  const { label, tone, title, meaning, facts = [], children } = props;
  const look = LOOKS[tone];
  return (
    <section
      aria-label={label}
      className={`flex flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-lg border border-l-4 px-3 py-2 ${look.box}`}
    >
      <div className="flex min-w-0 flex-1 basis-80 flex-col gap-1">
        <p data-sentence className="foreign line-clamp-4 text-base font-semibold">
          <span aria-hidden className={`mr-1.5 ${look.mark}`}>
            {look.shape}
          </span>
          {title}
        </p>
        {meaning !== undefined && <p className="foreign">{meaning}</p>}
        {facts.length > 0 && (
          <dl className="flex flex-wrap gap-x-5 gap-y-0.5">
            {facts.map(([name, value]) => (
              <div key={name} className="flex items-baseline gap-1.5">
                <dt className="text-soft">{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
      {children}
    </section>
  );
}
