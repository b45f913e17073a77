import type { Alert } from '../schema/alert.ts';
import type { AlertTest, AlertTestInput } from '../schema/alertTest.ts';
import type { ApiKey, ApiKeyInput, NewApiKey } from '../schema/apiKey.ts';
import type { Attempt, TargetAttempt } from '../schema/attempt.ts';
import type {
  Change,
  Consumer,
  ConsumerInput,
  ConsumerPatch,
  FilterDelta,
  SeekInput,
} from '../schema/consumer.ts';
import type {
  DeadLetter,
  DeadLetterGroup,
  DeadLetterWithBody,
  ParkedEntry,
} from '../schema/deadLetter.ts';
import type { Info } from '../schema/info.ts';
import type { Overview, OverviewRange, TargetMetrics, Troubles } from '../schema/overview.ts';
import type { Preview, PreviewInput } from '../schema/preview.ts';
import type { Problem } from '../schema/problem.ts';
import type { SearchResult } from '../schema/search.ts';
import type { ConsumerMetrics } from '../schema/series.ts';
import type { SignInLink } from '../schema/session.ts';
import type {
  ForgottenSource,
  Source,
  SourceDraft,
  SourceInput,
  SourcePatch,
  SourceProblem,
  SourceSnapshot,
  SourceTest,
} from '../schema/source.ts';
import type { Status } from '../schema/status.ts';
import type {
  Collection,
  EventInput,
  EventsAppended,
  RecordInput,
  RecordsAppended,
  StreamName,
  StreamRecord,
  Sync,
} from '../schema/stream.ts';
import type { Target, TargetInput, TargetPatch } from '../schema/target.ts';
import type { TargetTest } from '../schema/targetTest.ts';

/** The API refused a request, or did not answer (`status` 0, `code` "unreachable"). */
export class ClientError extends Error {
  override name = 'ClientError';
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string | null;
  /** The problem that was answered, with its further members. */
  readonly problem: Partial<Problem> & Record<string, unknown>;
  /** The body of the request. It may hold secrets: never log it. */
  readonly #sent: unknown;

  constructor(
    status: number,
    problem: Partial<Problem> & Record<string, unknown>,
    { cause, sent }: { cause?: unknown; sent?: unknown } = {},
  ) {
    super(problem.detail ?? `status ${status}`, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = problem.code ?? 'unknown';
    this.detail = this.message;
    this.requestId = problem.request_id ?? null;
    this.problem = problem;
    this.#sent = sent;
  }

  /** What the request had at a JSON pointer of the problem; undefined when it had nothing there. */
  sentAt(pointer: string): unknown {
    let found = this.#sent;
    for (const name of pointer.split('/').slice(1)) {
      if (typeof found !== 'object' || found === null) return undefined;
      found = (found as Record<string, unknown>)[name];
    }
    return found;
  }
}

/** A page of a list. */
export type Page<T> = { data: T[]; next_cursor: string | null };
export type Query = Record<string, string | number | boolean | readonly string[] | undefined>;
export type PageQuery = { limit?: number | undefined; cursor?: string | undefined };

/** Which consumers to list, and in which order. */
export type ConsumersQuery = PageQuery & {
  q?: string;
  status?: string;
  target_id?: string;
  has?: string;
  sort?: string;
  include?: 'total';
};

/** The commands without arguments. */
export type ConsumerVerb = 'pause' | 'resume' | 'retry';

/** The commands of a source without arguments. */
export type SourceVerb = 'pause' | 'resume';

/** The parts of a request beside method and path. */
export interface RequestOptions {
  query?: Query | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent unchanged as NDJSON, one entry per line. */
  lines?: string | Uint8Array;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Where the API is, and how requests are sent. */
export interface ClientOptions {
  /** The URL of the API without a path, for example http://127.0.0.1:4600. */
  url: string;
  /** Null to rely on a session cookie, as the console does. */
  apiKey: string | null;
  /** Aborts every request. */
  signal?: AbortSignal | undefined;
  /** May reject with a `ClientError`, which is passed on. */
  fetch?: typeof fetch;
  /** `JSON.parse` by default; `parseJson` of exactJson.ts where numbers must not be rounded. */
  parse?: (text: string) => unknown;
}

/** The client of the API. */
export type Client = ReturnType<typeof createClient>;

/** Makes requests to the API; rejects as `createClient` says. */
function createRequests(options: ClientOptions) {
  const base = options.url.replace(/\/+$/u, '');
  const send = options.fetch ?? fetch;
  const parse = options.parse ?? ((text: string): unknown => JSON.parse(text));

  /** Resolves with the answer if it is 2xx, before its body has come. */
  async function open(method: string, path: string, more: RequestOptions = {}): Promise<Response> {
    const signal = more.signal ?? options.signal ?? null;
    let response: Response;
    try {
      response = await send(`${base}${path}${queryText(more.query)}`, {
        method,
        signal,
        headers: { ...keyOf(options), ...typeOf(more), ...more.headers },
        ...bodyOf(more),
      });
    } catch (cause) {
      if (signal?.aborted === true || cause instanceof ClientError) throw cause;
      throw unreachable(base, cause);
    }
    if (response.ok) return response;
    throw new ClientError(response.status, await problemOf(response), { sent: more.body });
  }

  async function request<T>(method: string, path: string, more: RequestOptions = {}): Promise<T> {
    const response = await open(method, path, more);
    let text: string;
    try {
      text = await response.text();
    } catch (cause) {
      if ((more.signal ?? options.signal)?.aborted === true) throw cause;
      throw unreachable(base, cause);
    }
    return (text === '' ? null : parse(text)) as T;
  }

  return { base, open, request };
}

/**
 * Creates a typed client of the API for the CLI and the console; it imports nothing from Node. Each method
 * rejects with a `ClientError`, or with the reason of an aborted signal.
 */
export function createClient(options: ClientOptions) {
  const { base, open, request } = createRequests(options);
  const get = <T>(path: string, query?: Query): Promise<T> => request<T>('GET', path, { query });
  const post = <T>(path: string, body?: unknown): Promise<T> => request<T>('POST', path, { body });
  const consumer = (id: string): string => `/v1/consumers/${encodeURIComponent(id)}`;
  const letter = (id: string, one: string): string =>
    `${consumer(id)}/dead-letters/${encodeURIComponent(one)}`;
  const source = (id: string): string => `/v1/sources/${encodeURIComponent(id)}`;
  const target = (id: string): string => `/v1/targets/${encodeURIComponent(id)}`;

  return {
    url: base,
    open,
    request,
    info: () => get<Info>('/v1/info'),
    status: () => get<Status>('/v1/status'),
    overview: (range: OverviewRange) => get<Overview>('/v1/overview', { range }),
    troubles: () => get<Troubles>('/v1/troubles'),
    search: (q: string, limit?: number) => get<SearchResult>('/v1/search', { q, limit }),
    signInLink: () => post<SignInLink>('/v1/session/links'),
    syncs: (query?: PageQuery) => get<Page<Sync>>('/v1/syncs', query),
    collections: (query?: PageQuery & { sync_id?: string | undefined }) =>
      get<Page<Collection>>('/v1/collections', query),
    changes: (query?: PageQuery & { consumer_id?: string | undefined }) =>
      get<Page<Change>>('/v1/changes', query),
    alerts: (
      query?: PageQuery & {
        consumer_id?: string | undefined;
        source_id?: string | undefined;
        kind?: string | undefined;
      },
    ) => get<Page<Alert>>('/v1/alerts', query),
    testAlert: (input: AlertTestInput) => post<AlertTest>('/v1/alerts/test', input),
    record: (...key: RecordKey) => get<StreamRecord>(recordPath(key)),
    append: {
      records: (records: RecordInput[]) => post<RecordsAppended>('/v1/records', { records }),
      events: (events: EventInput[]) => post<EventsAppended>('/v1/events', { events }),
      lines: (stream: StreamName, lines: string | Uint8Array) =>
        request<RecordsAppended | EventsAppended>('POST', `/v1/${stream}`, { lines }),
    },
    targets: {
      list: (query?: PageQuery & { q?: string | undefined }) =>
        get<Page<Target>>('/v1/targets', query),
      get: (id: string) => get<Target>(target(id)),
      create: (input: Partial<TargetInput>) => post<Target>('/v1/targets', input),
      update: (id: string, patch: TargetPatch) =>
        request<Target>('PATCH', target(id), { body: patch }),
      delete: (id: string) => request<null>('DELETE', target(id)),
      test: (id: string) => post<TargetTest>(`${target(id)}/test`),
      testDraft: (input: Partial<TargetInput>) => post<TargetTest>('/v1/targets/test', input),
      rotateSecret: (id: string, input: { expires_in?: number }) =>
        post<Target>(`${target(id)}/rotate-secret`, input),
      troubles: (id: string) => get<Troubles>('/v1/troubles', { target_id: id }),
      attempts: (id: string, query?: Query) =>
        get<Page<TargetAttempt>>(`${target(id)}/attempts`, query),
      metrics: (id: string, range: OverviewRange) =>
        get<TargetMetrics>(`${target(id)}/metrics`, { range }),
    },
    sources: {
      list: (query?: PageQuery & { q?: string | undefined }) =>
        get<Page<Source>>('/v1/sources', query),
      get: (id: string) => get<Source>(source(id)),
      create: (input: Partial<SourceInput>) => post<Source>('/v1/sources', input),
      update: (id: string, patch: SourcePatch) =>
        request<Source>('PATCH', source(id), { body: patch }),
      /** Null once it is deleted, else the source that is still to be deleted. */
      delete: (id: string) => request<Source | null>('DELETE', source(id)),
      forget: (id: string) =>
        request<ForgottenSource>('DELETE', source(id), { query: { forget: true } }),
      command: (id: string, verb: SourceVerb) => post<Source>(`${source(id)}/${verb}`),
      snapshot: (id: string, wanted: SourceSnapshot) =>
        post<Source>(`${source(id)}/snapshot`, wanted),
      test: (id: string) => post<SourceTest>(`${source(id)}/test`),
      testDraft: (draft: Partial<SourceDraft>) => post<SourceTest>('/v1/sources/test', draft),
      problems: (id: string, query?: PageQuery) =>
        get<Page<SourceProblem>>(`${source(id)}/problems`, query),
    },
    consumers: {
      list: (query?: ConsumersQuery) =>
        get<Page<Consumer> & { total?: number }>('/v1/consumers', query),
      get: (id: string) => get<Consumer>(consumer(id)),
      create: (input: Partial<ConsumerInput>) => post<Consumer>('/v1/consumers', input),
      update: (id: string, patch: ConsumerPatch) =>
        request<Consumer>('PATCH', consumer(id), { body: patch }),
      delete: (id: string) => request<null>('DELETE', consumer(id)),
      command: (id: string, verb: ConsumerVerb) => post<Consumer>(`${consumer(id)}/${verb}`),
      seek: (id: string, to: SeekInput['to']) => post<Consumer>(`${consumer(id)}/seek`, { to }),
      filter: (id: string, delta: FilterDelta) => post<Consumer>(`${consumer(id)}/filter`, delta),
      preview: (input: Partial<PreviewInput>) => post<Preview>('/v1/consumers/preview', input),
      attempts: (id: string, query?: Query) =>
        get<Page<Attempt>>(`${consumer(id)}/attempts`, query),
      alerts: (id: string, query?: PageQuery) => get<Page<Alert>>(`${consumer(id)}/alerts`, query),
      parked: (id: string, query?: PageQuery) =>
        get<Page<ParkedEntry>>(`${consumer(id)}/parked`, query),
      metrics: (id: string, query?: Query) =>
        get<ConsumerMetrics>(`${consumer(id)}/metrics`, query),
      resend: (id: string, position: number) =>
        post<{ count: number }>(`${consumer(id)}/resend`, { position }),
    },
    deadLetters: {
      list: (
        id: string,
        query?: PageQuery & {
          code?: string | undefined;
          status?: string | undefined;
          upstream_id?: string | undefined;
        },
      ) => get<Page<DeadLetter>>(`${consumer(id)}/dead-letters`, query),
      groups: (id: string) =>
        get<{ data: DeadLetterGroup[] }>(`${consumer(id)}/dead-letters/groups`),
      get: (id: string, one: string) => get<DeadLetterWithBody>(letter(id, one)),
      delete: (id: string, one: string) => request<null>('DELETE', letter(id, one)),
      replay: (id: string, input: { ids: string[] } | { all: true }) =>
        post<{ count: number }>(`${consumer(id)}/dead-letters/replay`, input),
    },
    apiKeys: {
      list: (query?: PageQuery) => get<Page<ApiKey>>('/v1/api-keys', query),
      create: (input: Partial<ApiKeyInput>) => post<NewApiKey>('/v1/api-keys', input),
      delete: (id: string) => request<null>('DELETE', `/v1/api-keys/${encodeURIComponent(id)}`),
    },
  };
}

/** What names a record: its sync, its collection and its id there. */
type RecordKey = [sync: string, collection: string, id: string];

function recordPath(key: RecordKey): string {
  return `/v1/records/${key.map(encodeURIComponent).join('/')}`;
}

function keyOf({ apiKey }: ClientOptions): Record<string, string> {
  return apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
}

function typeOf({ body, lines }: RequestOptions): Record<string, string> {
  if (lines !== undefined) return { 'content-type': 'application/x-ndjson' };
  return body === undefined ? {} : { 'content-type': 'application/json' };
}

function bodyOf({ body, lines }: RequestOptions): { body?: string | Uint8Array<ArrayBuffer> } {
  if (lines !== undefined) return { body: lines as string };
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

function queryText(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value) search.append(name, String(one));
    else search.append(name, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

async function problemOf(response: Response): Promise<Partial<Problem> & Record<string, unknown>> {
  const text = await response.text().catch(() => ''); // cut off: only the status is known
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === 'object' && problem !== null && 'detail' in problem) {
      return problem as Partial<Problem> & Record<string, unknown>;
    }
  } catch {
    // an answer that is not the API's: a proxy's page, for example
  }
  return { detail: `status ${response.status} ${response.statusText}`.trim(), code: 'unknown' };
}

function unreachable(base: string, cause: unknown): ClientError {
  const deepest = (cause as { cause?: { code?: string; message?: string } }).cause;
  const why = deepest?.code ?? deepest?.message ?? (cause as Error).message;
  const detail = `Millrace does not answer at ${base} (${why})`;
  return new ClientError(0, { detail, code: 'unreachable' }, { cause });
}
