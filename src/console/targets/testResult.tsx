import type { TargetTest } from '../../schema/targetTest.ts';
import { adviceOf } from '../attempts/advice.ts';
import { RequestCode } from '../attempts/requestCode.tsx';
import { answerText, requestText } from '../attempts/trace.ts';
import { Waterfall } from '../attempts/waterfall.tsx';
import { Code } from '../ui/copyText.tsx';
import { Hint } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { number } from '../words.ts';

/** A test webhook: exactly what was sent and what came back. `isOlder`: the target has been changed since. */
export function TestResult({ test, isOlder }: { test: TargetTest; isOlder: boolean }) {
  const { request, trace } = test;
  const advice = adviceOf({ code: test.error_code, status: test.status }, request.url);
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
          ['Status', test.status === null ? 'No response' : String(test.status)],
          ['Duration', `${number(test.duration_ms)} ms`],
          request.idn_host === null
            ? null
            : ['Host', `${request.idn_host.unicode} is ${request.idn_host.ascii}`],
          test.error_code === null ? null : ['Error', test.error_code],
        ]}
      />
      {test.detail !== null && (
        <Hint tone="bad">
          {test.detail}
          {advice !== null && <p>{advice}</p>}
        </Hint>
      )}
      {(test.status === 401 || test.status === 403) && (
        <Hint tone="warn">
          The endpoint refuses the sender. Check that its receiver has the signing secret, and that
          the credentials are right.
        </Hint>
      )}
      <Waterfall timings={trace.timings} />
      <RequestCode label="Request" body={request.body} text={(body) => requestText(trace, body)} />
      <Code label="Response" text={answerText(trace, test.status, test.response_head)} />
    </div>
  );
}
