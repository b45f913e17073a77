import { parseExactly, prettyValue } from '../pretty.ts';

interface Parts {
  /** Field, value before, value after, as their JSON text; null where it was not there. */
  rows: [field: string, before: string, after: string | null][];
}

/** The fields that an update changed, old → new. */
export function ChangedFields({ text }: { text: string }) {
  const { rows } = partsOf(text);
  if (rows.length === 0) return null;
  return (
    <section className="min-w-0">
      <h3 className="mb-1 font-medium">Changed fields</h3>
      <div
        tabIndex={0}
        role="region"
        aria-label="Changed fields"
        className="overflow-x-auto rounded-md border border-line"
      >
        <table aria-label="Changed fields" className="w-full text-left text-xs">
          <thead className="bg-sunk text-soft">
            <tr>
              {['Field', 'Before', 'After'].map((title) => (
                <th key={title} scope="col" className="px-2 py-1">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([field, before, after]) => (
              <tr key={field} className="border-t border-line align-top">
                <th scope="row" className="foreign px-2 py-1 font-medium">
                  {field}
                </th>
                <td className="foreign bg-bad-soft px-2 py-1 font-mono whitespace-pre-wrap">
                  {before}
                </td>
                <td className="foreign bg-ok-soft px-2 py-1 font-mono whitespace-pre-wrap">
                  {after === null ? '(gone)' : after}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function partsOf(text: string): Parts {
  const event = parseExactly(text) as { data?: unknown; changes?: unknown };
  const { data, changes } = event;
  if (!isObject(changes)) return { rows: [] };
  return {
    rows: Object.entries(changes).map(([field, before]) => [
      field,
      prettyValue(before),
      isObject(data) && Object.hasOwn(data, field) ? prettyValue(data[field]) : null,
    ]),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
