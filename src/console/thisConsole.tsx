import { whoIs } from '../rules/who.ts';
import { TestAlertPanel } from './alerts/test.tsx';
import { useInfo } from './info.ts';
import { useSession } from './session.ts';
import { theme, timeForm, useSetting } from './settings.ts';
import { useSignOut } from './signOut.ts';
import { Button } from './ui/button.tsx';
import { SelectField } from './ui/field.tsx';
import { Failed, Loading } from './ui/notice.tsx';
import { Facts, Panel } from './ui/panel.tsx';
import { TimeText } from './ui/timeText.tsx';

/** What is installed, where its other interfaces are, and how this browser shows things. */
export function ThisConsole() {
  return (
    <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
      <div className="grid gap-4">
        <Runs />
        <TestAlertPanel />
      </div>
      <div className="grid gap-4">
        <Doors />
        <Looks />
        <SignedIn />
      </div>
    </div>
  );
}

function Runs() {
  const { data: info, error, refetch } = useInfo();
  if (info === undefined) {
    return error === null ? (
      <Loading what="settings" />
    ) : (
      <Failed error={error} again={() => void refetch()} />
    );
  }
  const { retention, temporal, dev_receiver_url: receiver } = info;
  return (
    <Panel title="System">
      <Facts
        facts={[
          ['Version', info.version],
          ['Region', info.region],
          ['Retry window', info.retry_window],
          ['Event retention', retention.events],
          ['Attempt retention', retention.attempts],
          ['Temporal', `${temporal.address}, namespace ${temporal.namespace}`],
          receiver === null ? null : ['Development receiver', <code key="url">{receiver}</code>],
        ]}
      />
      <p className="text-soft">
        These are set by environment variables such as MILLRACE_REGION and MILLRACE_EVENT_RETENTION.
      </p>
    </Panel>
  );
}

function Doors() {
  const ui = useInfo().data?.temporal.ui_url ?? null;
  const link = (href: string, text: string, about: string) => (
    <li>
      <a className="font-medium underline" href={href} target="_blank" rel="noreferrer">
        {text}
      </a>{' '}
      <span className="text-soft">{about}</span>
    </li>
  );
  return (
    <Panel title="Links">
      <ul className="flex flex-col gap-1.5">
        {link('/docs', 'Documentation', 'guides, the API, errors, the command line')}
        {link('/docs/reference', 'API reference', 'every route, to try out')}
        {link('/v1/openapi.json', 'OpenAPI document', 'for generators and tools')}
        {link('/metrics', 'Metrics', 'of this process, for Prometheus')}
        {ui !== null && link(ui, 'Temporal UI', 'one workflow per consumer, with its history')}
      </ul>
    </Panel>
  );
}

function Looks() {
  const shownTheme = useSetting(theme);
  const shownTimes = useSetting(timeForm);
  return (
    <Panel title="This browser">
      <SelectField
        label="Theme"
        value={shownTheme}
        onChange={theme.set}
        options={[
          { value: 'system', text: 'System' },
          { value: 'light', text: 'Light' },
          { value: 'dark', text: 'Dark' },
        ]}
      />
      <SelectField
        label="Times"
        value={shownTimes}
        onChange={timeForm.set}
        options={[
          { value: 'relative', text: 'Relative: 4 min ago' },
          { value: 'utc', text: 'UTC' },
          { value: 'local', text: 'Local' },
        ]}
      />
    </Panel>
  );
}

function SignedIn() {
  const { data: who } = useSession();
  const signOut = useSignOut();
  if (who === undefined) return null;
  return (
    <Panel title="Signed in" actions={<Button onClick={() => signOut()}>Sign out</Button>}>
      <Facts
        facts={[
          ['Signed in as', whoIs(who.name)],
          ['Scopes', who.scopes.join(', ')],
          who.expires_at === null
            ? null
            : ['Session ends', <TimeText key="until" at={who.expires_at} />],
        ]}
      />
      {!who.scopes.includes('manage') && (
        <p className="text-soft">Changes need a key with the scope manage.</p>
      )}
    </Panel>
  );
}
