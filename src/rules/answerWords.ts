const SHOWN = 160;

/**
 * The beginning of an answer's body as one line of at most 160 characters, without control and formatting
 * characters; null when nothing of it is left to show.
 */
export function answerWords(body: string | null): string | null {
  if (body === null) return null;
  const line = body.replaceAll(/[\s\p{Cc}\p{Cf}\uFFFD]+/gu, ' ').trim();
  if (line === '') return null;
  const characters = Array.from(line);
  return characters.length <= SHOWN ? line : `${characters.slice(0, SHOWN - 1).join('')}…`;
}
