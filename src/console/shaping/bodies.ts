import type { ConsumerBody } from '../../schema/body.ts';
import type { StreamName } from '../../schema/stream.ts';
import { faultsIn, type Faults } from '../faults.ts';
import { lengthFault } from './expressionFault.ts';

type Mode = ConsumerBody['mode'];

/** What each kind of body is, and when to use it. */
export const MODES: readonly { mode: Mode; title: string; text: string }[] = [
  {
    mode: 'full',
    title: 'Full',
    text: 'The whole entry. Use it unless the endpoint needs something else.',
  },
  {
    mode: 'thin',
    title: 'Thin',
    text: 'Keys, times and position, no data. For endpoints that fetch the rest with the API, or must not get data by webhook.',
  },
  {
    mode: 'fields',
    title: 'Fields',
    text: 'As thin, with the parts of the data that you name. For endpoints that need little of it, or must not get the rest.',
  },
  {
    mode: 'cloudevents',
    title: 'CloudEvents',
    text: 'A CloudEvent 1.0 in structured mode. For event brokers and functions that take CloudEvents.',
  },
  {
    mode: 'map',
    title: 'Map',
    text: 'The result of an expression. For endpoints with a format of their own, such as Slack or Teams.',
  },
];

/** The title of a kind of body. */
export function bodyTitle({ mode }: ConsumerBody): string {
  return MODES.find((one) => one.mode === mode)?.title ?? mode;
}

/** The body with this mode, before anything is filled in. */
export function blankBody(mode: Mode): ConsumerBody {
  if (mode === 'fields') return { mode, pointers: [] };
  return mode === 'map' ? { mode, expression: '' } : { mode };
}

/** A body as it is sent: without the spaces and the empty lines that were typed. */
export function bodyInput(body: ConsumerBody): ConsumerBody {
  if (body.mode === 'fields') return { ...body, pointers: pointersIn(body.pointers) };
  return body.mode === 'map' ? { ...body, expression: body.expression.trimEnd() } : body;
}

function pointersIn(lines: readonly string[]): string[] {
  return lines.map((line) => line.trim()).filter((line) => line !== '');
}

const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/u;
const MOST_POINTERS = 100;

/** What has to be mended before a body can be saved. */
export function bodyFaults(body: ConsumerBody, stream: StreamName): Faults {
  return faultsIn({
    '/body/pointers': body.mode === 'fields' ? pointersFault(body.pointers, stream) : null,
    '/body/expression': body.mode === 'map' ? mapFault(body.expression) : null,
  });
}

function mapFault(expression: string): string | null {
  if (expression.trim() === '') return 'Fill in an expression: its result is what is sent.';
  return lengthFault(expression.trimEnd());
}

function pointersFault(lines: readonly string[], stream: StreamName): string | null {
  const pointers = pointersIn(lines);
  if (pointers.length === 0) return 'Fill in at least one pointer, such as /data/email.';
  if (pointers.length > MOST_POINTERS) return `At most ${MOST_POINTERS} pointers are allowed.`;
  const faults = lines.map((line) => pointerFault(line.trim(), stream));
  const at = faults.findIndex((fault) => fault !== null);
  return at < 0 ? null : `Line ${at + 1}: ${faults[at]}`;
}

function pointerFault(pointer: string, stream: StreamName): string | null {
  if (pointer === '') return null;
  const roots = stream === 'events' ? ['data', 'changes'] : ['data'];
  if (!roots.includes(pointer.split('/')[1] ?? '') || !pointer.startsWith('/')) {
    const path = pointer.replace(/^[/.$]+/u, '').replaceAll('.', '/');
    const proposed = roots.includes(path.split('/')[0] ?? '') ? `/${path}` : `/data/${path}`;
    return `“${pointer}” must begin with ${roots.map((root) => `/${root}`).join(' or ')}: write ${proposed}.`;
  }
  return POINTER.test(pointer) ? null : `“${pointer}” must not contain ~: write ~0 instead.`;
}
