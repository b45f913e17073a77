const NAMES: Record<string, string> = {
  bootstrap: 'the admin key',
  temporal: 'a signal from Temporal',
  target: 'a change of its target',
  millrace: 'Millrace',
};

/** Who made a change, for people: the name of an API key, or words for what has no name of its own. */
export function whoIs(actor: string): string {
  return NAMES[actor] ?? actor;
}

/** Why a consumer is paused, with who did it as people know them: `paused by the admin key`. */
export function pausedText(reason: string): string {
  const [, actor] = /^paused by (.+)$/u.exec(reason) ?? [];
  return actor === undefined ? reason : `paused by ${whoIs(actor)}`;
}
