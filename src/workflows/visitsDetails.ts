import { amount } from '../rules/words.ts';

/** What the workflow of visits knows about its lanes. */
export interface LanesKnown {
  deliveryQueue: string;
  /** How many lanes there should be. */
  lanes: number;
  /** How many are kept running. */
  running: number;
  /** When this run of the workflow began. */
  since: Date;
  /** The figures of the lanes that have ended in this run. */
  ended: { lanes: number; visits: number; handedOver: number };
  /** The last failure of a lane, as a sentence; null: none has failed in this run. */
  failure: string | null;
  /** Why the last signal had no effect; null: it had. */
  note: string | null;
}

/** The page of the workflow of visits in the Temporal UI, as Markdown: what runs, and what to look at. */
export function visitsDetails(known: LanesKnown): string {
  const { ended, failure, note } = known;
  const lines = [`**${sentence(known)}**`, ''];
  if (known.running > known.lanes) {
    const many = known.running - known.lanes;
    const run = many === 1 ? 'is no longer needed, and ends' : 'are no longer needed, and end';
    lines.push(`- ${amount(many, 'lane')} ${run} within an hour`);
  }
  if (known.running > 0) lines.push(...ABOUT_LANES);
  if (ended.lanes > 0) {
    lines.push(
      `- Ended since ${known.since.toISOString()}: ${amount(ended.lanes, 'lane')}, with ${amount(ended.visits, 'visit')}, ` +
        `${ended.handedOver} of them handed over. A lane ends after an hour or when its worker stops; another takes its place`,
    );
  }
  if (failure !== null) lines.push(`- ${failure}`);
  lines.push(
    '- `MILLRACE_VISIT_LANES` of the workers is the number of lanes. Each worker sets it again every five ' +
      'minutes; until then, the signal `lanes` changes it',
  );
  if (note !== null) lines.push(`- ${note}`);
  return lines.join('\n');
}

const ABOUT_LANES = [
  '- Each pending activity `visit` is a lane. The details of its heartbeat say how many consumers it visits now ' +
    '(`visiting`), how many it has visited so far (`visits`), and how many of these it has handed over to their own ' +
    'workflows (`handedOver`), because they stay busy or fail',
  "- The last worker of a lane is the `process` in the API's `sender` of the consumers that it visits",
  '- A lane that no worker has started waits for one: no worker of the queue runs, or none has a free slot. ' +
    'Consumers that no lane claims get a drain of their own: after 20 s where there have been no lanes for 3 minutes, ' +
    'otherwise after 3 minutes, or after half an hour as long as the lanes claim others',
];

function sentence({ lanes, deliveryQueue }: LanesKnown): string {
  if (lanes === 0) return 'No lanes: each consumer that wakes gets a drain of its own';
  const deliver = lanes === 1 ? 'delivers' : 'deliver';
  return `${amount(lanes, 'lane')} ${deliver} for the quiet consumers of ${deliveryQueue}`;
}
