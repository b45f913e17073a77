import type { TargetTest } from '../../schema/targetTest.ts';
import { Code } from '../ui/copyText.tsx';
import { Hint } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { number } from '../words.ts';

/** A test webhook: exactly what was sent and what came back. `isOlder`: the target has been changed since. */
export function TestResult(props: {
  test: TargetTest;
  /** The target's own headers as they were then. */
  headers: Record<string, string>;
  isOlder: boolean;
}) {
  const { test, headers, isOlder } = props;
  const { request } = test;
  return (
    <div className="flex min-w-0 flex-col gap-3" role="status">
      {isOlder && (
        <Hint tone="warn">
          This was sent before the last changes. Send another test webhook to try them.
        </Hint>
      )}
      <Facts
        facts={[
          ['Outcome', <StatusBadge key="o" status={test.outcome} />],
          ['Status', test.status === null ? 'No answer' : String(test.status)],
          ['Time', `${number(test.duration_ms)} ms`],
          request.idn_host === null
            ? null
            : ['Host', `${request.idn_host.unicode} is ${request.idn_host.ascii}`],
          test.error_code === null ? null : ['Error', test.error_code],
        ]}
      />
      {test.detail !== null && <Hint tone="bad">{test.detail}</Hint>}
      <Code label="Request" text={requestText(test, headers)} />
      <Code
        label="How the answer began"
        text={
          test.response_head === null || test.response_head === ''
            ? '(nothing)'
            : test.response_head
        }
      />
    </div>
  );
}

function requestText({ request, message_id }: TargetTest, headers: Record<string, string>): string {
  return [
    `${request.method} ${request.url}`,
    'content-type: application/json',
    `webhook-id: ${message_id}`,
    'webhook-timestamp: (unix seconds)',
    'webhook-signature: v1,(of id.timestamp.body)',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    request.body,
  ].join('\n');
}
