/** What pages are opened with; null where there is none. */
export interface ShownThings {
  consumer: string;
  target: string;
  /** Of the consumer: an attempt and a dead letter, which drawers show. */
  attempt: string | null;
  letter: string | null;
}

/** Each page of the console, with its parts and drawers; `shown` is null where there is no consumer. */
export function everyPage(shown: ShownThings | null): [name: string, path: string][] {
  return shown === null ? ALWAYS : [...ALWAYS, ...pagesOf(shown)];
}

const ALWAYS: [name: string, path: string][] = [
  ['overview', '/'],
  ['targets', '/targets'],
  ['target-new', '/targets/new'],
  ['sources', '/sources'],
  ['source-new', '/sources/new'],
  ['consumers', '/consumers'],
  ['consumer-new', '/consumers/new'],
  ['dead-letters', '/dead-letters'],
  ['alerts', '/alerts'],
  ['streams', '/streams'],
  ['settings', '/settings'],
  ['settings-keys', '/settings?tab=keys'],
  ['settings-changes', '/settings?tab=changes'],
];

function pagesOf(shown: ShownThings): [name: string, path: string][] {
  const { attempt, letter } = shown;
  const consumer = `/consumers/${shown.consumer}`;
  const target = `/targets/${shown.target}`;
  const wizard = `/consumers/new?target=${shown.target}`;
  return [
    ['overview-week', '/?range=7d'],
    ['consumers-blocked', '/consumers?status=blocked'],
    ['streams-records', '/streams?stream=records'],
    ['consumer-new-streams', `${wizard}&step=2`],
    ['consumer-new-collections', `${wizard}&step=3`],
    ['consumer-new-types', `${wizard}&step=4`],
    ['consumer-new-start', `${wizard}&step=5`],
    ['consumer-new-save', `${wizard}&step=6`],
    ['consumer', consumer],
    ['consumer-parked', `${consumer}?tab=parked`],
    ['consumer-dead-letters', `${consumer}?tab=dead-letters`],
    ['consumer-filter', `${consumer}?tab=filter`],
    ['consumer-settings', `${consumer}?tab=settings`],
    ['consumer-changes', `${consumer}?tab=changes`],
    ...drawer('consumer-delivery', consumer, 'delivery', attempt),
    ['dead-letters-of-one', `/dead-letters?consumer=${shown.consumer}`],
    ...drawer('dead-letter', `/dead-letters?consumer=${shown.consumer}`, 'letter', letter),
    ['target', target],
    ['target-consumers', `${target}?tab=consumers`],
    ['target-verify', `${target}?tab=verify`],
    ['target-settings', `${target}?tab=settings`],
  ];
}

function drawer(
  name: string,
  page: string,
  key: string,
  id: string | null,
): [name: string, path: string][] {
  return id === null ? [] : [[name, `${page}${page.includes('?') ? '&' : '?'}${key}=${id}`]];
}
