import type { Consumer } from '../../schema/consumer.ts';
import type { Info } from '../../schema/info.ts';

/** The consumer's address in the Temporal UI; null where there is no UI. */
export function workflowUrl(info: Info | undefined, consumer: Consumer): string | null {
  const { ui_url, namespace } = info?.temporal ?? { ui_url: null, namespace: '' };
  if (ui_url === null) return null;
  const id = encodeURIComponent(consumer.workflow_id);
  return `${ui_url.replace(/\/$/u, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/${id}`;
}
