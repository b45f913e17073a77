/** A time as sentences for people have it: the minute in UTC, without the date on the day of `now`. */
export function clockText(time: string, now: Date): string {
  const [day = '', rest = ''] = new Date(time).toISOString().split('T');
  const minute = `${rest.slice(0, 5)} UTC`;
  return now.toISOString().startsWith(day) ? minute : `${day} ${minute}`;
}

/** A part of a sentence: a text as it is, or a time (RFC 3339). */
export type Part = { text: string } | { at: string };

/** Splits a sentence at the times that `clockText` wrote on the day of `now`, so that a page can show them in another form. */
export function splitAtTimes(sentence: string, now: Date): Part[] {
  const today = now.toISOString().slice(0, 10);
  const parts: Part[] = [];
  let end = 0;
  for (const found of sentence.matchAll(/\b(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d) UTC\b/gu)) {
    const [text, day = today, minute = ''] = found;
    const at = `${day}T${minute}:00Z`;
    if (Number.isNaN(Date.parse(at))) continue;
    if (found.index > end) parts.push({ text: sentence.slice(end, found.index) });
    parts.push({ at });
    end = found.index + text.length;
  }
  if (end < sentence.length) parts.push({ text: sentence.slice(end) });
  return parts;
}
