import type { Compose } from './compose.ts';

/** Where the parts of a rehearsal are on this machine. */
export interface Places {
  databaseUrl: string;
  /** The address of any database on the Postgres server of Temporal. */
  temporalDatabaseUrl: string;
  /** The ports of Temporal, by the variable that sets each of them for the server. */
  temporalPorts: Record<(typeof TEMPORAL_PORTS)[number], number>;
  dynamicConfigFile: string;
  /** The folder of Temporal's schema, which an image has in /etc/temporal/schema. */
  schema: string;
  /** A file that does not exist, so that the user's own configuration of Temporal's tools is not read. */
  temporalConfigFile: string;
  dataDir: string;
}

/** The ports of Temporal. In containers each service has an address of its own and keeps the usual ports. */
export const TEMPORAL_PORTS = [
  'FRONTEND_GRPC_PORT',
  'FRONTEND_HTTP_PORT',
  'FRONTEND_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
] as const;

type Variables = Record<string, string>;
const HOST = '127.0.0.1';
const SCHEMA = '/etc/temporal/schema/';

/** The address of Temporal's frontend. */
export function addressOf({ temporalPorts }: Pick<Places, 'temporalPorts'>): string {
  return `${HOST}:${temporalPorts.FRONTEND_GRPC_PORT}`;
}

/** The environment of Temporal's server: that of the Compose file, with the addresses here. */
export function temporalVariables(compose: Compose, places: Places): Variables {
  const { username, password, port } = new URL(places.temporalDatabaseUrl);
  return {
    ...compose.environmentOf('temporal'),
    BIND_ON_IP: HOST,
    POSTGRES_SEEDS: HOST,
    DB_PORT: port,
    POSTGRES_USER: username,
    POSTGRES_PWD: password,
    DYNAMIC_CONFIG_FILE_PATH: places.dynamicConfigFile,
    ...Object.fromEntries(
      Object.entries(places.temporalPorts).map(([variable, one]) => [variable, String(one)]),
    ),
  };
}

/** The script that creates Temporal's two databases, and its environment. */
export function schemaScript(
  compose: Compose,
  places: Places,
): { script: string; variables: Variables } {
  const script = compose.scriptOf('temporal-schema');
  if (!script.includes(SCHEMA)) throw new Error(`temporal-schema no longer reads ${SCHEMA}`);
  const { username, password, port } = new URL(places.temporalDatabaseUrl);
  return {
    script: script.replaceAll(SCHEMA, `${places.schema}/`),
    variables: {
      ...compose.environmentOf('temporal-schema'),
      SQL_HOST: HOST,
      SQL_PORT: port,
      SQL_USER: username,
      SQL_PASSWORD: password,
    },
  };
}

/** The script that creates the namespace and the search attributes, and its environment. */
export function namespaceScript(
  compose: Compose,
  places: Places,
): { script: string; variables: Variables } {
  return {
    script: compose.scriptOf('temporal-namespace'),
    variables: {
      ...compose.environmentOf('temporal-namespace'),
      TEMPORAL_ADDRESS: addressOf(places),
      TEMPORAL_CONFIG_FILE: places.temporalConfigFile,
    },
  };
}

/** The environment of a `server.ts` or `worker.ts`: that of the Compose file, with the addresses here. */
export function millraceVariables(
  compose: Compose,
  places: Places,
  process: { service: 'server' | 'worker'; port: number | null; metricsPort: number },
): Variables {
  return {
    NODE_ENV: 'production', // as in the image
    ...compose.environmentOf(process.service),
    DATABASE_URL: places.databaseUrl,
    TEMPORAL_ADDRESS: addressOf(places),
    TEMPORAL_CONFIG_FILE: places.temporalConfigFile,
    MILLRACE_DATA_DIR: places.dataDir,
    MILLRACE_METRICS_HOST: HOST,
    MILLRACE_METRICS_PORT: String(process.metricsPort),
    ...(process.port === null
      ? {}
      : {
          MILLRACE_HOST: HOST,
          MILLRACE_PORT: String(process.port),
          MILLRACE_TEMPORAL_UI_URL: '', // there is none
        }),
    SMTP_URL: '', // no Mailpit: mails are files in the data folder
  };
}
