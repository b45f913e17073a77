/** The orderings in words for people. */
export const ORDERINGS = [
  { value: 'record', text: 'By record: changes of one record in order' },
  { value: 'stream', text: 'By stream: strictly one after another' },
  { value: 'none', text: 'None: in any order, as fast as possible' },
] as const;
