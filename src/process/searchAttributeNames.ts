/** The names of the search attributes that workflows set, all of them keywords of Temporal. */
export const SEARCH_ATTRIBUTES = ['ConsumerStatus', 'TargetHost', 'TargetId'] as const;

/** `IndexedValueType.KEYWORD` of Temporal (temporal.api.enums.v1). */
export const KEYWORD = 2;

/** The command that registers search attributes in a namespace. */
export function registrationCommand(namespace: string, names: readonly string[]): string {
  const flags = names.map((name) => `--name ${name} --type Keyword`).join(' ');
  return `temporal operator search-attribute create --namespace ${namespace} ${flags}`;
}
