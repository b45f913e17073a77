/** An entry of a file that can be imported. */
export interface GoodLine {
  line: number;
  last: number;
  data: Record<string, unknown>;
}

/** An entry of a file that can't be imported. */
export interface BadLine {
  line: number;
  last: number;
  reason: RegExp;
  /** Its text as the list of rejected lines has it. */
  text: string;
}

/** A file, and what has to become of each of its lines. */
export interface ImportCase {
  file: string;
  flags: string[];
  bytes: Buffer;
  good: GoodLine[];
  bad: BadLine[];
}

type Encode = (text: string) => Buffer;

const ENCODE = {
  utf8: (text) => Buffer.from(text),
  latin1: (text) => Buffer.from(text, 'latin1'),
  utf16le: (text) => Buffer.from(text, 'utf16le'),
  utf16be: (text) => Buffer.from(text, 'utf16le').swap16(),
} satisfies Record<string, Encode>;
const MARK = '\uFEFF';

/** A piece of a file: lines that stand together, and what they are. */
interface Piece {
  text: string;
  data?: Record<string, unknown>;
  reason?: RegExp;
  /** The text in the list, where it is not the text itself. */
  shown?: string;
}

/** The files of every kind, each with `rows` entries or a few more. */
export function importCases(rows: number): ImportCase[] {
  const plain = { rows, delimiter: ',', ending: '\n' };
  const csv = (file: string, options: Partial<CsvOptions>, flags: string[] = []): ImportCase =>
    assemble({ file, flags, ...plain, ...options, pieces: csvPieces({ ...plain, ...options }) });
  const array = jsonArray(rows);
  return [
    csv('plain.csv', { broken: true }),
    csv('quoted with a mark.csv', { ending: '\r\n', mark: true, quoteAll: true, broken: true }),
    csv('returns only.csv', { ending: '\r', broken: true }),
    csv('no last end.csv', { isLastOpen: true }),
    csv('empty lines.csv', { emptyLines: true, broken: true }),
    csv('utf-16le.csv', { encode: ENCODE.utf16le, mark: true, broken: true }),
    csv('utf-16be.csv', { encode: ENCODE.utf16be, mark: true, ending: '\r\n', quoteAll: true }),
    csv('utf-16le without a mark.csv', { encode: ENCODE.utf16le }, ['--encoding', 'utf-16le']),
    csv('latin1.csv', { encode: ENCODE.latin1, broken: true }, ['--encoding', 'latin1']),
    csv('latin1 not named.csv', { encode: ENCODE.latin1, isNotUtf8: true }),
    csv('semicolons.csv', { delimiter: ';', broken: true }),
    csv('tabs.tsv', { delimiter: '\t', ending: '\r\n' }),
    csv('bars.txt', { delimiter: '|' }, ['--delimiter', '|', '--format', 'csv']),
    csv('a long quote.csv', { longQuote: true }),
    csv('header only.csv', { rows: 0 }),
    assemble({ file: 'lines.ndjson', flags: [], ending: '\n', pieces: jsonPieces(rows) }),
    assemble({
      file: 'utf-16le lines.jsonl',
      flags: [],
      ending: '\r\n',
      encode: ENCODE.utf16le,
      mark: true,
      pieces: jsonPieces(rows),
    }),
    { file: 'array.json', flags: [], bytes: ENCODE.utf8(array.text), ...array },
    { file: 'array 16.json', flags: [], bytes: ENCODE.utf16be(MARK + array.text), ...array },
    { file: 'empty.csv', flags: [], bytes: Buffer.alloc(0), good: [], bad: [] },
  ];
}

interface CsvOptions {
  rows: number;
  delimiter: string;
  ending: string;
  encode?: Encode;
  mark?: boolean;
  quoteAll?: boolean;
  /** Whether the last line has no end. */
  isLastOpen?: boolean;
  emptyLines?: boolean;
  /** Whether some lines are broken in each way. */
  broken?: boolean;
  /** Whether the umlauts are not UTF-8. */
  isNotUtf8?: boolean;
  /** Whether a quote is closed only hundreds of lines later, by another that has none. */
  longQuote?: boolean;
}

const WIDTH = /^has 4 values for 3 columns$/u;

function csvPieces(options: CsvOptions): Piece[] {
  const { rows, delimiter: d, ending, emptyLines = false } = options;
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const quote = options.quoteAll === true ? quoted : (text: string): string => text;
  const pieces: Piece[] = [{ text: ['id', 'name', 'note'].map(quote).join(d) }];
  for (let id = 0; id < rows; id++) {
    const isMultiLine = id % 41 === 7;
    const name = id % 13 === 0 ? `Müller ${id}` : `Smith ${id}`;
    const note = isMultiLine ? `1${ending}"2"${d}${ending}${ending}x` : id % 11 === 5 ? `a\0b` : '';
    const needsQuotes = isMultiLine || options.quoteAll === true;
    const text = [quote(String(id)), quote(name), needsQuotes ? quoted(note) : note].join(d);
    const isUndecodable = options.isNotUtf8 === true && name.includes('ü');
    if (isUndecodable) {
      const shown = text.replace('ü', '\\xFC').replaceAll('\0', '\\x00');
      pieces.push({ text, reason: /^is not UTF-8; --encoding names/u, shown });
    } else pieces.push({ text, data: { id: String(id), name, note } });
    if (emptyLines && id % 17 === 0) pieces.push({ text: '' });
    if (options.broken === true && id % 97 === 50) pieces.push(...brokenRows(d, id));
    if (options.longQuote === true && id === 100) {
      pieces.push({ text: `q${d}"abc${d}`, reason: /^opens a quote that is closed only in line/u });
    }
    if (options.longQuote === true && id === rows - 100) {
      pieces.push({ text: `q${d}abc"${d}`, reason: /^has a quote in a value/u });
    }
  }
  // Up to the next quote everything would be one value, were it not for these lines being rows.
  return options.longQuote === true
    ? pieces.map((one) =>
        one.data?.['note'] === '' || one.data === undefined ? one : unquoted(one, d),
      )
    : pieces;
}

function unquoted({ data }: Piece, delimiter: string): Piece {
  const { id, name } = data as Record<string, string>;
  return { text: `${id}${delimiter}${name}${delimiter}`, data: { id, name, note: '' } };
}

function brokenRows(d: string, id: number): Piece[] {
  return [
    { text: `b${id}${d}"never closed${d}x`, reason: /^opens a quote that is not closed/u },
    { text: `c${id}${d}"closed" twice"${d}x`, reason: /^has a quote in a quoted value/u },
    { text: `d${id}${d}5" pipe${d}x`, reason: /^has a quote in a value/u },
    { text: `e${id}${d}one${d}too${d}many`, reason: WIDTH },
  ];
}

function jsonPieces(rows: number): Piece[] {
  const pieces: Piece[] = [];
  for (let id = 0; id < rows; id++) {
    const data = { id: String(id), name: `Müller ${id}`, note: id % 11 === 5 ? 'a\0b' : '\uFFFD' };
    pieces.push({ text: JSON.stringify(data), data });
    if (id % 97 !== 50) continue;
    pieces.push({ text: `{"id":"x${id}"`, reason: /^is not JSON$/u });
    pieces.push({ text: `{"id":"n${id}","a":"\0"}`, reason: /^is not JSON$/u });
    pieces.push({ text: `{"id":1,"a":{"b":":1","b":2}}`, reason: /^repeats a name/u });
    pieces.push({ text: '{"id":{}}', reason: /^id is an object$/u });
    pieces.push({ text: '  ' });
  }
  return pieces;
}

/** An array whose elements have several lines each; its numbers are those of elements. */
function jsonArray(rows: number): { text: string; good: GoodLine[]; bad: BadLine[] } {
  const good: GoodLine[] = [];
  const bad: BadLine[] = [];
  const elements: string[] = [];
  for (let id = 0; id < rows; id++) {
    const data = { id: String(id), name: `Müller, ]} "${id}`, note: { nested: [id] } };
    elements.push(JSON.stringify(data, null, 1));
    good.push({ line: elements.length, last: elements.length, data });
    if (id % 97 !== 50) continue;
    for (const [text, reason, shown = text] of [
      [String(id), /^must be a JSON object$/u],
      [`{"id":"t${id}","a":tru}`, /^is not JSON$/u],
      [`{"id":"b${id}","a":[1}`, /^is not JSON$/u],
      [`{"id":"c${id}","a":1]}`, /^is not JSON$/u],
      [`{"id":"q${id}}`, /^has a quote that is not closed in its line$/u, `{"id":"q${id}},`],
    ] as [string, RegExp, string?][]) {
      elements.push(text);
      bad.push({ line: elements.length, last: elements.length, reason, text: shown });
    }
  }
  return { text: `[${elements.join(',\n')}]\n`, good, bad };
}

function assemble(options: {
  file: string;
  flags: string[];
  ending: string;
  encode?: Encode;
  mark?: boolean;
  isLastOpen?: boolean;
  pieces: Piece[];
}): ImportCase {
  const { file, flags, ending, encode = ENCODE.utf8, pieces } = options;
  const good: GoodLine[] = [];
  const bad: BadLine[] = [];
  let line = 1;
  for (const { text, data, reason, shown } of pieces) {
    const last = line + text.split(ending).length - 1;
    if (data !== undefined) good.push({ line, last, data });
    if (reason !== undefined) {
      bad.push({ line, last, reason, text: shown ?? text });
    }
    line = last + 1;
  }
  const text = pieces.map((piece) => piece.text).join(ending);
  const end = options.isLastOpen === true ? '' : ending;
  return {
    file,
    flags,
    bytes: encode((options.mark === true ? MARK : '') + text + end),
    good,
    bad,
  };
}
