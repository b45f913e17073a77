import type { SourceFinding } from '../../schema/source.ts';
import { ClientError } from '../api.ts';

/** What keeps a database or tables from being followed, each with what to do about it. */
export function FindingList({ findings }: { findings: readonly SourceFinding[] }) {
  return (
    <ul aria-label="What has to be mended" className="flex flex-col gap-2">
      {findings.map(({ table, problem, advice }) => (
        <li
          key={`${table} ${problem}`}
          className="foreign rounded-md border-l-4 border-bad bg-bad-soft px-3 py-2"
        >
          <p className="font-medium">{problem}</p>
          <p>{advice}</p>
        </li>
      ))}
    </ul>
  );
}

/** The findings for which the API refused a source; none if that was not the reason. */
export function findingsIn(error: unknown): SourceFinding[] {
  const found = error instanceof ClientError ? error.problem['findings'] : undefined;
  return Array.isArray(found) ? (found as SourceFinding[]) : [];
}
