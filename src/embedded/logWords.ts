const NAMES: Record<string, string> = { server: 'API' };
const LOUD: Record<string, string> = { warn: 'Warning', error: 'Error', fatal: 'Fatal error' };
/** Fields that say nothing to people, or that the sentence has already. */
const UNSAID = new Set(['level', 'time', 'process', 'msg', 'err', 'error', 'source']);
const LONGEST = 500;

/**
 * A line that a process has printed, as people read it: a warning or an error of its log as a sentence, with the
 * fields and causes that it has; text that is not of the log as it is; null for everything else.
 */
export function wordsOfLog(line: string): string | null {
  const entry = entryOf(line);
  if (entry === null) return line.trim() === '' ? null : plain(line);
  const { level, process, msg } = entry;
  const kind = LOUD[level];
  if (kind === undefined) return null;
  const where = process === undefined ? 'log' : (NAMES[process] ?? process);
  const said = msg ?? '';
  const facts = Object.entries(entry).flatMap(([name, value]) =>
    UNSAID.has(name) || !['string', 'number', 'boolean'].includes(typeof value)
      ? []
      : [`${name} ${value as string | number | boolean}`],
  );
  const causes = causesOf(entry['err'] ?? entry['error'], said);
  const text = [said + (facts.length === 0 ? '' : ` (${facts.join(', ')})`), ...causes];
  return plain(`${kind} in the ${where}: ${cut(text.join(': '))}`);
}

/** The messages of an error and of its causes, as far as what is said before does not repeat them. */
function causesOf(error: unknown, said: string): string[] {
  const texts: string[] = [];
  let next = error;
  while (next !== undefined && next !== null) {
    const { message = '', cause } = faultOf(next);
    if (![said, ...texts].some((one) => one.includes(message))) texts.push(message);
    next = cause;
  }
  return texts;
}

function faultOf(value: unknown): Partial<Error> {
  if (typeof value === 'string') return { message: value };
  return typeof value === 'object' ? (value as Partial<Error>) : {};
}

/** A message of the log. */
interface Entry extends Record<string, unknown> {
  level: string;
  process?: string;
  msg?: string;
}

/** The entry of a log that a line is; null when it is something else. */
function entryOf(line: string): Entry | null {
  if (!line.startsWith('{')) return null;
  try {
    const value = JSON.parse(line) as Partial<Entry>;
    return typeof value.level === 'string' ? (value as Entry) : null;
  } catch {
    return null; // text that begins with a brace
  }
}

function cut(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`;
}

/** Without characters that could control a terminal. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, ' ');
}
