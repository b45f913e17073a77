import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runCli, type CliResult } from './cli.ts';
import { createDatabase } from './database.ts';
import { openCluster, type Cluster, type Running } from './processes.ts';

/** A real server to import into, and a folder for the files. */
export interface ImportSite extends AsyncDisposable {
  cluster: Cluster;
  /** The server that runs; a test that kills it puts the next one here. */
  server: Running;
  folder: string;
  /** Writes a file into the folder; returns its path. */
  file(name: string, content: string | Buffer): Promise<string>;
  /** Runs `millrace import` in the folder. */
  run(args: string[], input?: string): Promise<CliResult>;
}

/** Opens a server on a database of its own, without a worker. */
export async function openImportSite(): Promise<ImportSite> {
  const database = await createDatabase();
  const cluster = await openCluster(database.url);
  const server = await cluster.startServer();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-import-'));

  async function file(name: string, content: string | Buffer): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  return {
    cluster,
    server,
    folder,
    file,
    run: (args, input) =>
      runCli(['import', ...args], cluster.api, {
        cwd: folder,
        ...(input !== undefined && { input }),
      }),
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
