import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';

/** The facts that the page shows in addition to the consumer's row. */
export interface Beside {
  filter: string;
  /** The lasting fault that keeps it from sending; null: there is none. */
  fault: string | null;
  note: string | null;
  /** The consumer's page in the console, as a URL; undefined: it is not known. */
  consolePage?: string | undefined;
  /** The task queue of its region, after which the workflow of visits is named. */
  deliveryQueue: string;
}

/**
 * The consumer's page in the Temporal UI, as Markdown that can be read at a glance. A drain or a lane of visits
 * sends without a step of this workflow; so what the page says about an active consumer holds whatever its
 * position is.
 */
export function details(snapshot: ConsumerSnapshot, beside: Beside): string {
  const { filter, fault, note } = beside;
  const behind = Math.max(0, snapshot.lastPosition - snapshot.position);
  const lines = [
    `**${fault === null ? sentence(snapshot) : `Can't send: ${fault}`}**`,
    '',
    `- Consumer: ${consumer(snapshot, beside)}`,
    `- Target: ${inLine(snapshot.targetName)} (${snapshot.targetHost}${snapshot.path})`,
    `- Stream: ${snapshot.stream}, ${filter} (filter version ${snapshot.filterVersion})`,
    `- Sender: ${sender(snapshot, beside)}`,
    snapshot.status === 'active'
      ? '- Position: see the console, the API or `millrace consumers get`, because sending takes no step in this workflow'
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

/** Its name, with a link to its page in the console. */
function consumer({ name }: ConsumerSnapshot, { consolePage }: Beside): string {
  const text = inLine(name);
  return consolePage === undefined ? text : `[${text}](${consolePage})`;
}

/** A name given by people, escaped so that Markdown shows it as it is, in one line. */
function inLine(name: string): string {
  return name.replaceAll(/\s+/gu, ' ').replaceAll(/[\\`*_[\]<>]/gu, String.raw`\$&`);
}

function sentence(snapshot: ConsumerSnapshot): string {
  switch (snapshot.status) {
    case 'active':
      return snapshot.idle ? 'Active, quiet' : 'Active, delivering';
    case 'paused':
      return `Paused: ${snapshot.statusReason ?? 'on request'}`;
    case 'blocked':
      return `Blocked: ${snapshot.statusReason ?? 'the endpoint fails'}; failing since ${snapshot.failingSince ?? 'now'}`;
    case 'stopped':
      return `Stopped: ${snapshot.statusReason ?? 'the retry window has ended'}`;
  }
}

/** Who sends for the consumer. */
function sender(snapshot: ConsumerSnapshot, { fault, deliveryQueue }: Beside): string {
  if (fault !== null) return 'none until the next try';
  const { status, idle, parkedDueAt } = snapshot;
  if (status === 'blocked') return '`deliver`, an activity of its own that tries the failing entry';
  if (status !== 'active') return 'none, because nothing is to be sent';
  if (!idle) return '`drain`, an activity of its own';
  if (parkedDueAt !== null) return '`drain`, once a parked entry is due or another entry arrives';
  return (
    `a lane of workflow \`visits/${deliveryQueue}\` whenever an entry arrives, ` +
    'or `drain`, an activity of its own, while that workflow runs no lanes'
  );
}
