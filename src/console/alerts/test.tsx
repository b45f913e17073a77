import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import type { AlertTest } from '../../schema/alertTest.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { errorsOf } from '../fieldErrors.ts';
import { TextField } from '../ui/field.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { Badge, type Tone } from '../ui/statusBadge.tsx';
import { number } from '../words.ts';

/** Sends a test alert, and shows the outcome of its mail and its webhook. */
export function TestAlertPanel() {
  const [to, setTo] = useState('');
  const test = useMutation({
    mutationFn: () => api.testAlert(to.trim() === '' ? {} : { to: to.trim() }),
  });
  const wrong = errorsOf(test.error)('/to');
  return (
    <Panel title="Alerts">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          test.mutate();
        }}
      >
        <TextField
          label="Mail the test to"
          type="email"
          placeholder="The addresses of MILLRACE_ALERT_EMAIL"
          hint="It also goes to the alert webhook, if there is one. A worker sends it, like every alert."
          error={wrong}
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
        <div>
          <ActButton needs="manage" type="submit" busy={test.isPending}>
            Send test alert
          </ActButton>
        </div>
      </form>
      <Unsaved error={wrong === undefined ? test.error : null} />
      {test.data !== undefined && <Result test={test.data} />}
    </Panel>
  );
}

const LOOKS: Record<AlertTest['mail']['outcome'], [tone: Tone, shape: string, text: string]> = {
  accepted: ['ok', '✓', 'accepted'],
  written: ['warn', '▲', 'written to a file'],
  failed: ['bad', '✕', 'failed'],
  not_set: ['idle', '○', 'not set'],
};

function Result({ test: { mail, webhook, sent_by } }: { test: AlertTest }) {
  return (
    <div className="flex min-w-0 flex-col gap-3" role="status">
      <Facts
        facts={[
          ['Mail', <Outcome key="mail" of={mail.outcome} />],
          mail.to.length === 0 ? null : ['To', mail.to.join(', ')],
          mail.outcome === 'not_set' ? null : ['Mail duration', `${number(mail.duration_ms)} ms`],
          ['Webhook', <Outcome key="webhook" of={webhook.outcome} />],
          webhook.status === null ? null : ['Webhook status', `HTTP ${webhook.status}`],
          webhook.outcome === 'not_set'
            ? null
            : ['Webhook duration', `${number(webhook.duration_ms)} ms`],
          ['Sent by', `worker ${sent_by}`],
        ]}
      />
      <Why outcome={mail.outcome} detail={mail.detail} />
      <Why outcome={webhook.outcome} detail={webhook.detail} />
    </div>
  );
}

function Outcome({ of }: { of: AlertTest['mail']['outcome'] }) {
  const [tone, shape, text] = LOOKS[of];
  return <Badge tone={tone} shape={shape} text={text} />;
}

function Why(props: { outcome: AlertTest['mail']['outcome']; detail: string | null }) {
  if (props.detail === null) return null;
  const tone = props.outcome === 'failed' ? 'bad' : 'warn';
  return <Hint tone={tone}>{props.detail}</Hint>;
}
