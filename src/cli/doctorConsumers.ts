import type { Client } from '../api/client.ts';
import { certificateEnd } from '../rules/certificateEnd.ts';
import type { Consumer } from '../schema/consumer.ts';
import type { Target } from '../schema/target.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

/** The most pages of consumers that are examined. */
const PAGES = 20;
const A_PAGE = 1_000;
/** How a signing secret is shown that can't be read, so that its last characters are unknown. */
const HIDDEN = '••••';

/** Names the consumers that can't send because of a lasting fault that is not the endpoint's. */
export async function examineConsumers(client: Pick<Client, 'consumers'>): Promise<Finding> {
  const name = 'Senders';
  const faulty: Consumer[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const listed = await client.consumers.list({
      has: 'cannot_start',
      limit: A_PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    faulty.push(...listed.data);
    if (listed.next_cursor === null) break;
    cursor = listed.next_cursor;
  }
  const [first] = faulty;
  if (first === undefined) return ok(name, 'every consumer can send');
  const others = faulty.length === 1 ? '' : ` and ${faulty.length - 1} more`;
  const detail = `"${first.name}" (${first.id})${others} can't send: ${first.cannot_start?.detail}`;
  return fail(
    name,
    detail,
    'Fix what each of them names (millrace consumers list --has cannot_start), then run millrace retry',
  );
}

/** Names the targets of which a part can't be read, and those whose client certificate ends soon or has ended. */
export function examineTargets(targets: readonly Target[]): Finding[] {
  return targets.flatMap((one) => {
    const { name, id, health } = one;
    const isUnread = one.credentials.type === 'unreadable' || one.signing_secret === HIDDEN;
    const unread = 'Save it again, or add the key back';
    return [
      ...(isUnread ? [fail(`Target ${name}`, `${id}: ${health.notes[0]}`, unread)] : []),
      ...examineCertificate(one),
    ];
  });
}

function examineCertificate({ name, id, client_certificate: own }: Target): Finding[] {
  const end = own === null ? null : certificateEnd(own.valid_until, Date.now());
  if (own === null || end === null) return [];
  const about = `Client certificate of target ${name}`;
  const fix = `Save a new one: millrace targets update ${id} --client-certificate FILE --client-key FILE`;
  return end === 'over'
    ? [fail(about, `${own.subject} ended at ${own.valid_until}`, fix)]
    : [warn(about, `${own.subject} ends at ${own.valid_until}`, fix)];
}
