import { ClientError, createClient } from '../api/client.ts';
import { findRunning } from '../embedded/lock.ts';
import { keptPostgresUrl } from '../embedded/postgres.ts';
import { keptTemporalAddress } from '../embedded/temporal.ts';
import { ConfigError, loadConfig, type Config } from '../process/config.ts';
import { apiUrl, keyOf } from './context.ts';
import { examineConsumers, examineTargets } from './doctorConsumers.ts';
import { examineHere, hostsOf } from './doctorHere.ts';
import { examinePostgres, examineTemporal } from './doctorServers.ts';
import { CliError, describe, EXIT } from './exit.ts';
import { fail, ok, skew, warn, type Finding } from './finding.ts';
import { fetchOurs, isReadiness } from './ours.ts';

/** The environment and flags to examine. */
export interface Patient {
  env: NodeJS.ProcessEnv;
  url?: string | undefined;
  apiKey?: string | undefined;
}

const ANSWER_MS = 3_000;

/** Examines everything that this environment names, in a few seconds, and changes nothing. */
export async function examine(patient: Patient): Promise<Finding[]> {
  let config: Config;
  try {
    config = loadConfig(patient.env, 'dev');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [
      fail('Configuration', error.message, 'Correct the variable, then run millrace doctor again'),
    ];
  }
  const databaseUrl = config.databaseUrl ?? (await keptPostgresUrl(config.dataDir));
  const temporal = config.temporalAddress ?? (await keptTemporalAddress(config.dataDir));
  const api = await examineApi(patient);
  const port = (await runningPort(config)) ?? config.port;
  const parts = await Promise.all([
    examineHere({ config: { ...config, port }, env: patient.env, hosts: api.hosts }),
    examinePostgres({ url: databaseUrl, isOurs: config.databaseUrl === null }),
    examineTemporal({
      address: temporal,
      isOurs: config.temporalAddress === null,
      connection: config.temporalConnection,
      namespace: config.temporalNamespace,
    }),
  ]);
  return [ok('Configuration', 'all variables are valid'), ...parts.flat(), ...api.findings];
}

/** The port of what `millrace dev` runs on this data folder; null when nothing runs. */
async function runningPort({ dataDir }: Config): Promise<number | null> {
  const running = await findRunning(dataDir).catch(() => null); // not readable: like a folder without one
  if (running?.isAlive !== true) return null;
  return Number(new URL(running.address).port);
}

async function examineApi(patient: Patient): Promise<{ findings: Finding[]; hosts: string[] }> {
  const findings: Finding[] = [];
  let hosts: string[] = [];
  let url: string;
  try {
    url = await apiUrl(patient, patient.env);
  } catch (error) {
    // Before a start nothing has to run, not even after a kill.
    if (error instanceof CliError && error.exitCode === EXIT.unavailable) {
      const fix = 'Start it again with millrace dev, or name another with --url or MILLRACE_URL';
      return { findings: [warn('API', error.message, fix)], hosts };
    }
    const fix = 'Name the API with --url or MILLRACE_URL';
    return { findings: [fail('API', describe(error), fix)], hosts };
  }
  const sentAt = Date.now();
  const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(
    () => null, // reported as not answering
  );
  if (ready === null) {
    const fix = 'Start everything with millrace dev, or the API alone with node server.ts';
    return { findings: [warn('API', `does not answer at ${url}`, fix)], hosts };
  }
  const answer = await ready.text().catch(() => ''); // cut off: like one of another program
  if (ready.status < 500 && !isReadiness(answer)) {
    const fix = 'Name the API with --url or MILLRACE_URL';
    findings.push(fail('API', `${url} answers, but is not Millrace`, fix));
    return { findings, hosts };
  }
  if (ready.ok) {
    const { notes = [] } = JSON.parse(answer) as { notes?: string[] };
    findings.push(ok('API', `ready at ${url}`));
    for (const note of notes) findings.push(warn('API', note, 'Run a time service on its machine'));
  } else {
    const isProblem = isReadiness(answer); // a proxy's page is none
    const { detail = `status ${ready.status}` } = (isProblem ? JSON.parse(answer) : {}) as {
      detail?: string;
    };
    findings.push(fail('API', `${url}: ${detail}`, 'Check what it names, and its log'));
  }
  findings.push(...clockOf('the API', ready, sentAt));
  try {
    const key = keyOf(patient, patient.env);
    if (key === null) {
      findings.push(warn('API key', 'none here', 'Set --api-key or MILLRACE_API_KEY'));
      return { findings, hosts };
    }
    const client = createClient({
      url,
      apiKey: key,
      signal: AbortSignal.timeout(2 * ANSWER_MS),
      fetch: fetchOurs,
    });
    const info = await client.info();
    findings.push(ok('API key', `accepted by Millrace ${info.version}, region ${info.region}`));
    const ui = info.temporal.ui_url;
    if (ui !== null) {
      const sent = Date.now();
      const answer = await fetch(ui, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
      if (answer !== null) findings.push(...clockOf('Temporal', answer, sent));
    }
    const { data: targets } = await client.targets.list({ limit: 100 });
    findings.push(await examineConsumers(client), ...examineTargets(targets));
    hosts = hostsOf(targets);
  } catch (error) {
    const isKey =
      error instanceof CliError ||
      (error instanceof ClientError && [401, 403].includes(error.status));
    const fix = isKey ? 'Use the key that the API was started with' : 'See the lines above';
    findings.push(fail('API key', describe(error), fix));
  }
  return { findings, hosts };
}

/** Compares clocks by the Date header, which has whole seconds only. */
function clockOf(name: string, response: Response, sentMs: number): Finding[] {
  const date = Date.parse(response.headers.get('date') ?? '');
  return Number.isNaN(date) ? [] : [skew(name, date, sentMs - 1_000, Date.now())];
}
