import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

let bundle: Promise<{ code: string }> | null = null;

/** The workflows, bundled once a test file. */
export function workflowBundle(): Promise<{ code: string }> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: new URL('../../src/workflows/index.ts', import.meta.url).pathname,
    logger: new DefaultLogger('ERROR'),
  });
  return bundle;
}
