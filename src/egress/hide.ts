/** How much of an answer's body is kept. */
const HEAD_BYTES = 2_048;
/** A shorter secret reveals nothing by itself, and would match everywhere. */
const SHORTEST = 4;
/** The longest token that a token endpoint may give, in UTF-16. */
const MOST_TOKEN_FORM_BYTES = 2 * 8_192;
/** A shorter piece of base64 would match everywhere. */
const SHORTEST_BASE64 = 6;
/** Stands in place of a secret. */
export const MASK = '••••';

/** Removes secrets from the stored part of an answer. */
export interface Hiding {
  /** How many bytes have to be read, so that a secret across the cut is read in full. */
  readonly bytes: number;
  /** Returns a function that masks the secrets and this token in a text, and then cuts it to 2 KB. */
  of(token: string | null): (text: string) => string;
}

/**
 * Hides these secrets, and the token of a request if it has one, in these forms: unchanged, escaped as in a
 * JSON text, percent-encoded, in base64 at any place in the encoded text, in UTF-16, and as bytes that were
 * read as Latin-1, in upper or lower case. The beginning of a secret at the end of the text that was read is
 * hidden as well.
 */
export function hide(secrets: readonly string[], hasTokens: boolean): Hiding {
  const forms = formsOf(secrets);
  const whole = new Set(secrets.filter((secret) => secret !== '')); // even those too short for the other forms
  const longest = Math.max(0, ...forms.map(({ text }) => Buffer.byteLength(text)));
  return {
    bytes: HEAD_BYTES + Math.max(longest, hasTokens ? MOST_TOKEN_FORM_BYTES : 0),
    of(token) {
      const all = token === null ? forms : [...forms, ...formsOf([token])];
      return (text) => {
        if (whole.has(text)) return MASK;
        let left = text;
        for (const { anyCase } of all) left = left.replaceAll(anyCase, MASK);
        return cut(withoutBeginnings(left, all));
      };
    },
  };
}

interface Form {
  text: string;
  anyCase: RegExp;
}

/** The longest come first, as one may contain another. */
function formsOf(secrets: readonly string[]): Form[] {
  const texts = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    texts.add(secret).add(JSON.stringify(secret).slice(1, -1));
    if (secret.isWellFormed()) texts.add(encodeURIComponent(secret));
    texts.add(Buffer.from(secret).toString('latin1'));
    for (const text of [...base64Of(secret), ...utf16Of(secret)]) texts.add(text);
  }
  return Array.from(texts, (text) => ({
    text,
    anyCase: new RegExp(RegExp.escape(text), 'giu'),
  })).sort((a, b) => b.text.length - a.text.length);
}

/**
 * A secret in base64, plain and for URLs: the characters that it alone determines, for each of the three
 * offsets at which it may begin within a group of three bytes.
 */
function base64Of(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const from = Math.ceil((8 * before) / 6);
    const piece = text.slice(from, Math.floor((8 * (before + bytes.length)) / 6));
    if (piece.length < SHORTEST_BASE64) return [];
    return [piece, piece.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/**
 * A secret in UTF-16 of either byte order, as `textOf` shows such bytes of an answer: each 0 as U+FFFD. Those
 * at its ends are left out, because they may belong to what stands beside it.
 */
function utf16Of(secret: string): string[] {
  const little = Buffer.from(secret, 'utf16le');
  const big = Buffer.from(little).swap16();
  return [little, big]
    .map((bytes) => textOf(bytes).replaceAll(/^\ufffd+|\ufffd+$/gu, ''))
    .filter((text) => text.replaceAll('\ufffd', '').length >= SHORTEST);
}

function withoutBeginnings(text: string, forms: readonly Form[]): string {
  const most = Math.max(0, ...forms.map((form) => beginningAtEnd(text, form.text)));
  return most === 0 ? text : `${text.slice(0, -most)}${MASK}`;
}

/** How many characters at the end of a text are the beginning of a secret. */
function beginningAtEnd(text: string, secret: string): number {
  let length = Math.min(secret.length - 1, text.length);
  const end = text.slice(-length).toLowerCase();
  const lower = secret.toLowerCase();
  while (length >= SHORTEST && !end.endsWith(lower.slice(0, length))) length -= 1;
  return length >= SHORTEST ? length : 0;
}

function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= HEAD_BYTES) return text;
  const kept = bytes.subarray(0, HEAD_BYTES);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(kept, { stream: true });
}

/**
 * The part of an answer that was read, as text: without an incomplete character at its end, and in a form that
 * Postgres can store.
 */
export function textOf(bytes: Buffer): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
  return text.replaceAll('\u0000', '\ufffd');
}
