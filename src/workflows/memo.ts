/** The contents of the memo of a consumer's workflow. */
export interface Memorized {
  name: string;
  targetName: string;
  /** The consumer's page in the console, as a URL. */
  consolePage: string;
}

/** The memo of a consumer's workflow, which lists of the Temporal UI can show. */
export function memoOf({ name, targetName, consolePage }: Memorized): Record<string, string> {
  return { consumer: name, target: targetName, console: consolePage };
}

/** The same as a text, by which the workflow knows what it wrote last. */
export function memoText(memorized: Memorized): string {
  return JSON.stringify(memoOf(memorized));
}

/** How many characters of each name a summary has; Temporal takes 400 bytes in all. */
const SUMMARY_CHARACTERS = 45;

/** One line that says which consumer it is, and which target it sends to. */
export function summaryOf({ name, targetName }: Omit<Memorized, 'consolePage'>): string {
  return `${cut(name)} → ${cut(targetName)}`;
}

function cut(name: string): string {
  const characters = Array.from(name.replaceAll(/\s+/gu, ' '));
  if (characters.length <= SUMMARY_CHARACTERS) return characters.join('');
  return `${characters.slice(0, SUMMARY_CHARACTERS - 1).join('')}…`;
}
