/** Bundles the workflows of one file into another one, and prints what it has read: `node bundleWorkflows.ts FROM TO`. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const [from = '', to = ''] = parseArgs({ allowPositionals: true }).positionals;
const read = new Set<string>();
const { code } = await bundleWorkflowCode({
  workflowsPath: from,
  logger: new DefaultLogger('ERROR'),
  webpackConfigHook: (config) => ({
    ...config,
    plugins: [
      ...(config.plugins ?? []),
      (compiler) => {
        compiler.hooks.afterCompile.tap('millrace', ({ fileDependencies }) => {
          for (const file of fileDependencies) read.add(file);
        });
      },
    ],
  }),
});
await writeFile(to, code);
process.stdout.write(JSON.stringify([...read].toSorted()));
