import { prettyText } from '../pretty.ts';
import { Code } from '../ui/copyText.tsx';

/**
 * A request whose body is shown and copied exactly as it was signed; broken into lines only where that is chosen.
 * `text` makes the request with a body; a null body is not known.
 */
export function RequestCode(props: {
  label: string;
  body: string | null;
  text: (body: string | null) => string;
}) {
  const { label, body, text } = props;
  return (
    <Code
      label={label}
      text={text(body)}
      formatted={body === null ? undefined : text(prettyText(body))}
    />
  );
}
