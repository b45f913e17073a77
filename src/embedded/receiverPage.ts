import { indented } from './indented.ts';
import type { Counts, Received, SignatureVerdict } from './received.ts';

/** So many of the newest webhooks are open; the others show one line until they are opened. */
const OPEN = 10;

const VERDICTS: Record<SignatureVerdict, string> = {
  verified: '✓ Signature verified',
  refused: '✕ Answered 401: no signing secret matches, or its timestamp is more than 5 minutes off',
  unknown: '? Signature not verified: no target has a signing secret yet',
};

/** The colours of the console, in both themes. */
const STYLE = `
:root {
  color-scheme: light dark;
  --bg: light-dark(#f5f6f8, #0f1215); --panel: light-dark(#fff, #171b20); --sunk: light-dark(#eef0f3, #20252b);
  --line: light-dark(#dfe3e8, #2b313a); --ink: light-dark(#171a1f, #e7eaee); --soft: light-dark(#525c68, #a0abb7);
  --accent: light-dark(#0b6b5d, #4fc3ae); --ok: light-dark(#19703a, #5fcc80);
  --warn: light-dark(#855200, #e6b455); --bad: light-dark(#b3261e, #ff8078);
}
html { font: 87.5%/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; color: var(--ink); background: var(--bg) }
h1 { font-size: 1.4rem; margin: 0 0 .3rem }
p { margin: .3rem 0 }
a { color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
details { margin: .6rem 0; border: 1px solid var(--line); border-radius: .5rem; background: var(--panel) }
summary { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: .5rem .8rem; cursor: pointer }
summary::before { content: '▸'; color: var(--soft) } [open] > summary::before { content: '▾' }
summary b { overflow-wrap: anywhere }
.parts { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); border-top: 1px solid var(--line) }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem .8rem; margin: 0; padding: .6rem .8rem; align-content: start }
dt { color: var(--soft) }
dt, dd, pre { font: .8572rem/1.4 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace }
dd { margin: 0; overflow-wrap: anywhere }
pre { margin: 0; max-height: 28rem; overflow: auto; padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--sunk); border-radius: 0 0 .5rem 0 }
small, time { font-size: .8572rem; color: var(--soft) }
.verified { color: var(--ok) } .refused { color: var(--bad) } .unknown { color: var(--warn) }
@media (max-width: 45rem) { .parts, dl { grid-template-columns: minmax(0, 1fr) } dd { padding-bottom: .3rem } }
`;

/**
 * Renders the receiver's page: plain HTML without scripts, with everything received escaped. `reloads`: whether it
 * reads itself again every 2 s.
 */
export function receiverPage(
  received: readonly Received[],
  counts: Counts,
  { reloads }: { reloads: boolean },
): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
${reloads ? '<meta http-equiv="refresh" content="2">' : ''}
<title>Millrace development receiver</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Development receiver</h1>
<p>
<span class="verified">${counts.verified} verified</span> ·
<span class="refused">${counts.refused} refused (answered 401)</span> ·
<span class="unknown">${counts.unknown} not verified (no target has a secret yet)</span>
</p>
<p><small>
The last ${received.length}, newest first, also as <a href="/deliveries">JSON</a>.
${reloads ? 'This page reloads every 2 s: <a href="/?still">stop reloading</a>, to read on.' : 'This page is still: <a href="/">reload every 2 s</a>.'}
</small></p>
<main>
${received.map((one, index) => webhook(one, index < OPEN)).join('\n')}
${received.length === 0 ? '<p>Nothing has been received yet.</p>' : ''}
</main>
</body>
</html>
`;
}

function webhook(one: Received, isOpen: boolean): string {
  const headers = Object.entries(one.headers).sort(
    ([name], [other]) => rankOf(name) - rankOf(other),
  );
  const rows = headers.map(
    ([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(valueText(name, value, one))}</dd>`,
  );
  const shown = Buffer.byteLength(one.body);
  const rest =
    one.bytes > shown
      ? `\n<small>… and ${one.bytes - shown} of ${one.bytes} bytes more</small>`
      : '';
  return `<details${isOpen ? ' open' : ''}>
<summary><b>${escape(titleOf(one))}</b> <span class="${one.verdict}">${VERDICTS[one.verdict]}</span> <time>${escape(one.at)}</time></summary>
<div class="parts">
<dl>${rows.join('\n')}</dl>
<pre tabindex="0">${escape(indented(one.body))}${rest}</pre>
</div>
</details>`;
}

/** Headers of Standard Webhooks come first, then ours, then those that every request has. */
function rankOf(name: string): number {
  const rank = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].indexOf(name);
  if (rank >= 0) return rank;
  return name.startsWith('millrace-') ? 3 : 4;
}

/** A header's value; that of the timestamp also as a time, and how long before the arrival it was. */
function valueText(name: string, value: string, { at }: Received): string {
  if (name !== 'webhook-timestamp' || !/^\d{1,11}$/u.test(value)) return value;
  const ms = Number(value) * 1_000;
  const seconds = Math.round((Date.parse(at) - ms) / 1_000);
  const when = seconds < 0 ? `${-seconds} s after it came` : `${seconds} s before it came`;
  return `${value} (${new Date(ms).toISOString().slice(0, 19)}Z, ${when})`;
}

/** What the webhook is about: `created stripe:customer cus_1`; its id where the body does not say it. */
function titleOf({ body, webhook_id: id }: Received): string {
  const sent = parsed(body);
  if ('test' in sent) return 'Test webhook';
  const entry = sent['event'] ?? sent['record'];
  if (typeof entry !== 'object' || entry === null) return id ?? 'No webhook-id';
  const { event, deleted, collection_id, upstream_id } = entry as Record<string, unknown>;
  const type = event ?? (deleted === true ? 'deleted' : 'record');
  return [type, collection_id, upstream_id].filter((one) => typeof one === 'string').join(' ');
}

function parsed(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // it is cut off, or no JSON
  }
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
