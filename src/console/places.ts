/** The navigation's entries, in its order; `g` and then `key` goes to one. */
export const PLACES = [
  { to: '/', title: 'Overview', key: 'o' },
  { to: '/consumers', title: 'Consumers', key: 'c' },
  { to: '/targets', title: 'Targets', key: 't' },
  { to: '/sources', title: 'Sources', key: 'u' },
  { to: '/dead-letters', title: 'Dead letters', key: 'd' },
  { to: '/alerts', title: 'Alerts', key: 'a' },
  { to: '/streams', title: 'Streams', key: 's' },
  { to: '/settings', title: 'Settings', key: 'e' },
] as const;
