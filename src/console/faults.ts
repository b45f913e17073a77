import { number } from './words.ts';

/** What has to be mended before a form can be sent: a sentence for each field, by a pointer into what is sent. */
export type Faults = Partial<Record<string, string>>;

/** The faults among these, each of a field by its pointer; null: there is none. */
export function faultsIn(fields: Record<string, string | null>): Faults {
  return Object.fromEntries(Object.entries(fields).filter(([, fault]) => fault !== null)) as Faults;
}

/** The longest name that the API accepts. */
export const NAME_LENGTH = 255;

/** What is wrong with the name of a target or a consumer; null when nothing is. */
export function nameFault(typed: string, of: string): string | null {
  if (typed.trim() === '') return `Fill in a name for the ${of}.`;
  return lengthFault('The name', typed.trim(), NAME_LENGTH);
}

/** What is wrong with a text that is longer than the API accepts; null when it is not. */
export function lengthFault(what: string, text: string, most: number): string | null {
  return text.length > most ? `${what} must have at most ${number(most)} characters.` : null;
}

/** What is wrong with a number that has to be whole and within limits; null when nothing is. */
export function wholeFault(
  what: string,
  typed: string,
  { least, most }: { least: number; most: number },
): string | null {
  const value = typed.trim() === '' ? Number.NaN : Number(typed);
  if (Number.isInteger(value) && value >= least && value <= most) return null;
  return `${what} must be a whole number from ${number(least)} to ${number(most)}.`;
}
