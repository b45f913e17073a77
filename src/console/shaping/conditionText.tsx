/** A condition as it is written; `none` if there is none. */
export function Condition({ text }: { text: string | null }) {
  if (text === null) return 'none';
  return <code className="whitespace-pre-wrap">{text}</code>;
}
