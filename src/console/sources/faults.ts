import { faultsIn, lengthFault, nameFault, NAME_LENGTH, type Faults } from '../faults.ts';
import { databaseUrlFault } from './databaseUrl.ts';
import { silenceSeconds, type SourceDraft } from './draft.ts';

const LEAST_SILENCE = 60;
const MOST_SILENCE = 30 * 86_400;
const MOST_TABLES = 500;

/** What has to be mended before a new source can be saved; without a name it gets that of its database. */
export function newFaults(draft: SourceDraft): Faults {
  return {
    ...connectionFaults(draft),
    ...faultsIn({ '/name': lengthFault('The name', draft.name.trim(), NAME_LENGTH) }),
    ...othersOf(draft),
  };
}

/** What has to be mended before the settings of a source can be saved. `stored`: its masked URL. */
export function storedFaults(draft: SourceDraft, stored: string): Faults {
  return {
    ...connectionFaults(draft, stored),
    ...faultsIn({ '/name': nameFault(draft.name, 'source') }),
    ...othersOf(draft),
  };
}

/** What has to be mended before the connection can be tested. `stored`: the masked URL that is stored, if any is. */
export function connectionFaults({ url }: SourceDraft, stored: string | null = null): Faults {
  return faultsIn({ '/url': databaseUrlFault(url, stored) });
}

function othersOf({ tables, ...draft }: SourceDraft): Faults {
  const seconds = silenceSeconds(draft);
  const isLength = seconds === null || (seconds >= LEAST_SILENCE && seconds <= MOST_SILENCE);
  return faultsIn({
    '/tables': tablesFault(tables.length),
    '/expect_within': isLength
      ? null
      : 'The time without a change must be from 1 minute to 30 days, or empty.',
  });
}

function tablesFault(count: number): string | null {
  if (count === 0) return 'Select at least one table.';
  return count > MOST_TABLES ? `At most ${MOST_TABLES} tables are allowed.` : null;
}
