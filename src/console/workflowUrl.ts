import type { Info } from '../schema/info.ts';

/** The address of a workflow in the Temporal UI; null where there is no UI. */
export function workflowUrl(info: Info | undefined, workflowId: string): string | null {
  const { ui_url, namespace } = info?.temporal ?? { ui_url: null, namespace: '' };
  if (ui_url === null) return null;
  const id = encodeURIComponent(workflowId);
  return `${ui_url.replace(/\/$/u, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/${id}`;
}
