import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';

import {
  KEYWORD,
  registrationCommand,
  SEARCH_ATTRIBUTES,
} from '../process/searchAttributeNames.ts';

const ANSWER_MS = 10_000;

/**
 * Registers the search attributes that are missing in the namespace, such as those of a new version. If that is
 * not allowed, the log says which command does it; workflows wait for it, and visited consumers do not.
 */
export async function registerAttributes(options: {
  connection: Pick<NativeConnection, 'operatorService' | 'withDeadline'>;
  namespace: string;
  log: Pick<Logger, 'info' | 'error'>;
}): Promise<void> {
  const { connection, namespace, log } = options;
  let missing: readonly string[] = SEARCH_ATTRIBUTES;
  try {
    await connection.withDeadline(Date.now() + ANSWER_MS, async () => {
      const { operatorService } = connection;
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes?.[name] === undefined);
      if (missing.length === 0) return;
      const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
      await operatorService.addSearchAttributes({ namespace, searchAttributes });
      log.info({ namespace, names: missing }, 'search attributes were registered');
    });
  } catch (error) {
    const fields = { err: error, command: registrationCommand(namespace, missing) };
    log.error(
      fields,
      'search attributes could not be registered; run the command if this was not done before',
    );
  }
}
