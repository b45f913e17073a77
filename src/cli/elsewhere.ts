import type { Command } from 'commander';

/** More places than these do not tell what was meant. */
const MOST = 2;

/** An error about an unknown command, which names the places where there is a command of that name; other errors stay. */
export function withPlaces(program: Command, error: string): string {
  const [, name] = /^error: unknown command '([^']+)'/u.exec(error) ?? [];
  if (name === undefined) return error;
  const places = placesOf(program, name);
  if (places.length === 0 || places.length > MOST) return error;
  const [first = ''] = error.split('\n');
  return `${first}\n(Did you mean ${places.join(' or ')}?)\n`;
}

function placesOf(program: Command, name: string): string[] {
  const groups = [program, ...program.commands];
  return groups.flatMap((group) => {
    const own = group.commands.find((one) => one.name() === name);
    if (own === undefined) return [];
    const words = group === program ? [name] : [group.name(), name];
    return [`${program.name()} ${words.join(' ')}`];
  });
}
