import type { Counts, Received } from './received.ts';

/** Renders the receiver's page: plain HTML that reloads itself, with everything received escaped. */
export function receiverPage(received: readonly Received[], counts: Counts): string {
  const rows = received.map(row).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>Millrace development receiver</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c1c1c; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd }
td { font-family: ui-monospace, monospace; font-size: 12px }
td.body { overflow-wrap: anywhere }
.verified { color: #0a6b2d } .refused { color: #b00020 } .unknown { color: #6b5900 }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #161616 } th, td { border-color: #333 }
  .verified { color: #5fd38a } .refused { color: #ff7a8a } .unknown { color: #e0c95a }
}
</style>
</head>
<body>
<h1>Development receiver</h1>
<p>
<span class="verified">${counts.verified} verified</span> ·
<span class="refused">${counts.refused} refused (answered 401)</span> ·
<span class="unknown">${counts.unknown} not verified (no target has a secret yet)</span> ·
the last ${received.length}, newest first, also as <a href="/deliveries">JSON</a>
</p>
<table>
<thead><tr><th>time</th><th>signature</th><th>webhook-id</th><th>consumer</th><th>position</th><th>attempt</th><th>bytes</th><th>body</th></tr></thead>
<tbody>
${rows}
</tbody>
</table>
${received.length === 0 ? '<p>Nothing has been received yet.</p>' : ''}
</body>
</html>
`;
}

function row(one: Received): string {
  const cells = [one.webhook_id, one.consumer, one.position, one.attempt, one.bytes];
  return `<tr><td>${escape(one.at)}</td><td class="${one.verdict}">${one.verdict}</td>${cells
    .map((cell) => `<td>${escape(String(cell ?? '–'))}</td>`)
    .join('')}<td class="body">${escape(one.body.slice(0, 500))}</td></tr>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
