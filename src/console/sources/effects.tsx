import type { ReactNode } from 'react';

import { slotStem } from '../../rules/sourceNames.ts';
import { Facts } from '../ui/panel.tsx';
import { readText, type TableChoice } from './tableChoices.ts';

/** What a new source will read, create in its database, and do later. `name`: that it will have. */
export function Effects({ tables, name }: { tables: readonly TableChoice[]; name: string }) {
  if (tables.length === 0) {
    return <p className="text-soft">Select tables to see what will be read and created.</p>;
  }
  return (
    <>
      <Facts facts={factsOf(tables, name)} />
      <p className="text-soft">
        The slot keeps the log of your database until Millrace has stored it. It does not wait for
        webhooks: an endpoint that fails does not fill your disk.
      </p>
    </>
  );
}

function factsOf(
  tables: readonly TableChoice[],
  name: string,
): (readonly [name: string, value: ReactNode])[] {
  return [
    ['Reads', readText(tables)],
    ['Then', 'follows every change, in the order of its commits'],
    ['Records', 'one for each row, in a collection for each table'],
    ['Creates there', 'a publication of these tables alone, and a replication slot'],
    ['Both called', <code key="name">{slotStem(name)}…</code>],
    ['Later', 'deleting the source drops both'],
  ];
}
