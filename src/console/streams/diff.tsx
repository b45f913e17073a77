import { prettyValue } from '../pretty.ts';

/** The changed top-level fields, before and now. */
export function Diff({ changes, data }: { changes: Record<string, unknown>; data: unknown }) {
  const now = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  const fields = Object.keys(changes);
  if (fields.length === 0) return <p className="text-soft">No field changed.</p>;
  return (
    <div className="shrink-0 overflow-x-auto">
      <table className="w-full table-fixed text-left text-xs">
        <caption className="mb-1 text-left text-sm font-medium">What changed</caption>
        <thead className="text-soft">
          <tr>
            <th scope="col" className="w-1/4 py-1 font-semibold">
              Field
            </th>
            <th scope="col" className="py-1 font-semibold">
              Before
            </th>
            <th scope="col" className="py-1 font-semibold">
              Now
            </th>
          </tr>
        </thead>
        <tbody className="font-mono">
          {fields.map((field) => (
            <tr key={field} className="border-t border-line align-top">
              <th scope="row" className="foreign py-1 pr-2 font-semibold">
                {field}
              </th>
              <td className="py-1 pr-2">
                <Value value={changes[field]} look="bg-bad-soft text-bad" sign="−" />
              </td>
              <td className="py-1">
                {Object.hasOwn(now, field) ? (
                  <Value value={now[field]} look="bg-ok-soft text-ok" sign="+" />
                ) : (
                  <span className="text-soft">gone</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Value({ value, look, sign }: { value: unknown; look: string; sign: string }) {
  return (
    <pre className={`foreign max-h-40 overflow-auto rounded px-1 whitespace-pre-wrap ${look}`}>
      <span aria-hidden>{sign} </span>
      {prettyValue(value)}
    </pre>
  );
}
