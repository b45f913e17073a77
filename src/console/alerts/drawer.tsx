import { Link } from '@tanstack/react-router';

import type { Alert } from '../../schema/alert.ts';
import { ConsumerName } from '../consumerName.tsx';
import { tabOfAlert, type AsideTab } from '../consumers/asideTab.ts';
import { buttonLook } from '../ui/button.tsx';
import { Code } from '../ui/copyText.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Facts } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { AlertAbout } from './about.tsx';
import { gist, KindBadge, said } from './kind.tsx';
import { MailFacts, OutboxHint } from './mail.tsx';

/** One alert: its text and whether it was sent. */
export function AlertDrawer({ alert, onClose }: { alert: Alert; onClose: () => void }) {
  const { kind, consumer_id, source_id, at, mail } = alert;
  return (
    <Drawer
      open
      onClose={onClose}
      title={
        <span className="flex items-center gap-2">
          Alert <KindBadge kind={kind} />
        </span>
      }
      description={gist(alert)}
    >
      <Facts
        facts={[
          consumer_id === null
            ? ['Source', <AlertAbout key="source" alert={alert} />]
            : ['Consumer', <ConsumerName key="consumer" id={consumer_id} />],
          ['Time', <TimeText key="at" at={at} />],
        ]}
      />
      {consumer_id !== null && <ConsumerLinks id={consumer_id} tab={tabOfAlert(kind)} />}
      {source_id !== null && (
        <Link to="/sources/$id" params={{ id: source_id }} className={buttonLook('main')}>
          Open the source
        </Link>
      )}
      <Code label="Text" text={said(alert)} />
      <MailFacts mail={mail} />
      <OutboxHint />
      <details>
        <summary className="text-soft">As JSON</summary>
        <Code label="Detail" text={JSON.stringify(alert, null, 2)} />
      </details>
    </Drawer>
  );
}

function ConsumerLinks({ id, tab }: { id: string; tab: AsideTab | undefined }) {
  return (
    <div className="flex flex-wrap gap-2">
      {tab !== undefined && (
        <Link to="/consumers/$id" params={{ id }} search={{ tab }} className={buttonLook('main')}>
          Open its dead letters
        </Link>
      )}
      <Link
        to="/consumers/$id"
        params={{ id }}
        className={buttonLook(tab === undefined ? 'main' : 'plain')}
      >
        Open the consumer
      </Link>
    </div>
  );
}
