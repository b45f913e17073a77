import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';

/** The consumer's page in the Temporal UI, as Markdown that can be read at a glance. */
export function details(
  snapshot: ConsumerSnapshot,
  { filter, fault, note }: { filter: string; fault: string | null; note: string | null },
): string {
  const behind = Math.max(0, snapshot.lastPosition - snapshot.position);
  const lines = [
    `**${fault === null ? sentence(snapshot) : `Can't be sent to: ${fault}`}**`,
    '',
    `- Target: ${snapshot.targetName} (${snapshot.targetHost}${snapshot.path})`,
    `- Stream: ${snapshot.stream}, ${filter} (filter version ${snapshot.filterVersion})`,
    snapshot.idle
      ? '- Caught up: woken by the next match'
      : `- Position: ${snapshot.position}, up to ${behind} entries behind when last looked at`,
  ];
  if (snapshot.lastFailure !== null) {
    const { code, detail, at } = snapshot.lastFailure;
    lines.push(`- Last failure: ${code}, ${detail} (${at})`);
  }
  if (snapshot.status === 'blocked' && snapshot.nextAttemptAt !== null) {
    lines.push(`- Next attempt: ${snapshot.nextAttemptAt} (attempt ${snapshot.attempt + 1})`);
  }
  if (snapshot.status === 'active' && snapshot.parkedDueAt) {
    lines.push(`- Parked entries: the next one is due ${snapshot.parkedDueAt}`);
  }
  if (note !== null) lines.push(`- ${note}`);
  return lines.join('\n');
}

function sentence(snapshot: ConsumerSnapshot): string {
  switch (snapshot.status) {
    case 'active':
      return snapshot.idle ? 'Active, nothing to send' : 'Active, delivering';
    case 'paused':
      return `Paused: ${snapshot.statusReason ?? 'on request'}`;
    case 'blocked':
      return `Blocked since ${snapshot.failingSince ?? 'now'}: ${snapshot.statusReason ?? 'the endpoint fails'}`;
    case 'stopped':
      return `Stopped: ${snapshot.statusReason ?? 'the retry window has ended'}`;
  }
}
