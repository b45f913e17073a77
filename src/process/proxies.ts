/** The variables that set proxies; each program reads some of them, in one spelling or both. */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'GRPC_PROXY'];
/** The variables that list exceptions from proxies. gRPC reads the second one first. */
const EXCEPTIONS = ['NO_PROXY', 'NO_GRPC_PROXY'];
const LOOPBACK = ['localhost', '127.0.0.1', '::1', '[::1]'];

/** The proxies that an environment sets, by the names of their variables. */
export function proxiesOf(env: NodeJS.ProcessEnv): string[] {
  return bothSpellings(PROXIES).filter((name) => env[name]);
}

/**
 * An environment under which programs reach this machine's own addresses directly, because its lists of
 * exceptions name them. The given environment is returned where no proxy is set.
 */
export function sparingLoopback(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (proxiesOf(env).length === 0) return env;
  const sparing = { ...env };
  for (const name of EXCEPTIONS) {
    const spellings = bothSpellings([name]);
    if (name !== 'NO_PROXY' && !spellings.some((one) => env[one])) continue; // it would hide NO_PROXY
    const listed = spellings.flatMap((one) => env[one]?.split(',') ?? []).map((one) => one.trim());
    const list = [...new Set([...listed.filter(Boolean), ...LOOPBACK])].join(',');
    for (const one of spellings) sparing[one] = list;
  }
  return sparing;
}

/**
 * The environment with which a process has to set Node's own proxies again, because with NODE_USE_ENV_PROXY
 * Node would send `fetch` to this machine through one; null where Node uses no proxy.
 */
export function proxiesToSet(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | null {
  const usesProxies = env['NODE_USE_ENV_PROXY'] === '1' && proxiesOf(env).length > 0;
  return usesProxies ? sparingLoopback(env) : null;
}

/** Some of the options of `Connection`; `NativeConnection` uses no proxy unless it is given one. */
export interface ChannelArgs {
  channelArgs?: Record<string, number>;
}

/**
 * The arguments of a gRPC channel to `address` (host:port): a channel to this machine does not go through a
 * proxy.
 */
export function channelArgsFor(address: string): ChannelArgs {
  const host = address.replace(/:\d+$/u, '');
  return isLoopback(host) ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {};
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|[\w.-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/iu.test(host);
}

function bothSpellings(names: string[]): string[] {
  return names.flatMap((name) => [name, name.toLowerCase()]);
}
