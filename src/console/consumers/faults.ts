import { isSentAsWritten } from '../../schema/sentPath.ts';
import type { StreamName } from '../../schema/stream.ts';
import { faultsIn, lengthFault, nameFault, type Faults } from '../faults.ts';
import { batchFaults } from '../shaping/batches.ts';
import { bodyFaults } from '../shaping/bodies.ts';
import { hasStart, type Draft } from './draft.ts';
import { emailsIn, type SettingsDraft } from './settingsDraft.ts';

const MOST_EMAILS = 50;

/** What has to be mended before a new consumer can be saved. */
export function draftFaults(draft: Draft): Faults {
  return {
    ...faultsIn({
      '/start': hasStart(draft) ? null : 'Fill in the date and the time at which sending starts.',
      '/name': nameFault(draft.name, 'consumer'),
      '/path': pathFault(draft.path),
    }),
    ...bodyFaults(draft.body, draft.stream),
    ...batchFaults(draft.batch),
  };
}

/** What has to be mended before the settings of a consumer of this stream can be saved. */
export function settingsFaults(draft: SettingsDraft, stream: StreamName): Faults {
  return {
    ...faultsIn({
      '/name': nameFault(draft.name, 'consumer'),
      '/path': pathFault(draft.path),
      '/alert_emails': emailsFault(draft.emails),
    }),
    ...bodyFaults(draft.body, stream),
    ...batchFaults(draft.batch),
  };
}

/** What is wrong with the path that a consumer adds to its target's URL, as a sentence with a remedy. */
export function pathFault(path: string): string | null {
  if (path === '') return null;
  if (/\s/u.test(path)) return 'The path must not contain a space: write %20 instead.';
  if (!path.startsWith('/')) return `The path must begin with /: write /${path}.`;
  if (path.startsWith('//')) return 'The path must begin with a single /.';
  const [strange] = /[^\x21-\x7e]/u.exec(path) ?? [];
  if (strange !== undefined) return strangeFault(strange);
  if (path.includes('#'))
    return 'The path must not contain #: endpoints never get what follows it.';
  if (!isSentAsWritten(path)) {
    return 'The path must not contain \\ or the segments . and .., because they are not sent as they are written.';
  }
  return lengthFault('The path', path, 2048);
}

function strangeFault(character: string): string {
  return character.isWellFormed()
    ? `The path must not contain “${character}”: write ${encodeURIComponent(character)} instead.`
    : 'The path must only contain whole characters.';
}

function emailsFault(typed: string): string | null {
  const emails = emailsIn(typed);
  const wrong = emails.find((email) => !/^[^@]+@[^@]+\.[^@.]+$/u.test(email));
  if (wrong !== undefined) {
    return `“${wrong}” is not an email address. One looks like this: ops@example.com.`;
  }
  return emails.length > MOST_EMAILS ? `At most ${MOST_EMAILS} alert addresses are allowed.` : null;
}
