import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';

/** The status page that the Temporal UI shows: Markdown, one glance. */
export function details(standing: ConsumerSnapshot, filter: string, note: string | null): string {
  const behind = Math.max(0, standing.lastPosition - standing.position);
  const lines = [
    `**${sentence(standing)}**`,
    '',
    `- Target: ${standing.targetName} (${standing.targetHost}${standing.path})`,
    `- Stream: ${standing.stream}, ${filter} (filter version ${standing.filterVersion})`,
    standing.idle
      ? '- Caught up: woken by the next match'
      : `- Position: ${standing.position}, up to ${behind} entries behind when last looked at`,
  ];
  if (standing.lastFailure !== null) {
    const { code, detail, at } = standing.lastFailure;
    lines.push(`- Last failure: ${code}, ${detail} (${at})`);
  }
  if (standing.status === 'blocked' && standing.nextAttemptAt !== null) {
    lines.push(`- Next attempt: ${standing.nextAttemptAt} (attempt ${standing.attempt + 1})`);
  }
  if (standing.status === 'active' && standing.parkedDueAt) {
    lines.push(`- Parked entries: the next one is due ${standing.parkedDueAt}`);
  }
  if (note !== null) lines.push(`- ${note}`);
  return lines.join('\n');
}

function sentence(standing: ConsumerSnapshot): string {
  switch (standing.status) {
    case 'active':
      return standing.idle ? 'Active, nothing to send' : 'Active, delivering';
    case 'paused':
      return `Paused: ${standing.statusReason ?? 'on request'}`;
    case 'blocked':
      return `Blocked since ${standing.failingSince ?? 'now'}: ${standing.statusReason ?? 'the endpoint fails'}`;
    case 'stopped':
      return `Stopped: ${standing.statusReason ?? 'the retry window has ended'}`;
  }
}
