/** The tabs of a consumer's page on which something can be done about a note. */
export type TabOfNote = 'dead-letters' | 'parked' | 'settings' | 'filter';

const TABS: [note: RegExp, tab: TabOfNote][] = [
  [/^[\d,]+ dead letters?: /u, 'dead-letters'],
  [/^[\d,]+ entr(?:y is|ies are) parked/u, 'parked'],
  [/^Nobody is alerted: /u, 'settings'],
  [/^The filter matches nothing: /u, 'filter'],
  [/^The condition could not be evaluated /u, 'filter'],
];

/** A note in the words of the console, which has a field where the API has a name. */
export function wordsOf(note: string): string {
  return note.replace(/^Nobody is alerted: .*$/u, 'Nobody is alerted: add an alert address');
}

/** Where something can be done about a note of a consumer's health; null where nothing can be done here. */
export function tabOfNote(note: string): TabOfNote | null {
  return TABS.find(([pattern]) => pattern.test(note))?.[1] ?? null;
}
