/** The name under which the checkpoints of a source are stored; `POST /v1/records` can't give it to others by chance. */
export function checkpointsOf(sourceId: string): string {
  return `source/${sourceId}`;
}
