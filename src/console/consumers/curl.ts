/** The parts of a request. */
export interface Sent {
  url: string;
  headers: Record<string, string>;
  messageId: string;
  body: string;
}

/**
 * A shell script that sends the request again, newly signed. Its first line asks for the secret, which
 * the page does not know.
 */
export function curlOf({ url, headers, messageId, body }: Sent): string {
  const flags = Object.entries(headers).map(
    ([name, value]) => `  -H ${quote(`${name}: ${value}`)} \\`,
  );
  return [
    `secret='whsec_…' # the target's signing secret`,
    `id=${quote(messageId)}`,
    'at=$(date +%s)',
    `body=${quote(body)}`,
    `key=$(printf %s "\${secret#whsec_}" | base64 -d | od -An -vtx1 | tr -d ' \\n')`,
    `signature=$(printf %s "$id.$at.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)`,
    `curl -i -X POST ${quote(url)} \\`,
    ...flags,
    `  -H "webhook-id: $id" -H "webhook-timestamp: $at" -H "webhook-signature: v1,$signature" \\`,
    '  --data-binary "$body"',
    '',
  ].join('\n');
}

/** Quotes a text as one word for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
