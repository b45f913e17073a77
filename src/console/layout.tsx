import { Link, Outlet } from '@tanstack/react-router';
import { useRef, useState, useSyncExternalStore, type ReactNode } from 'react';

import { whoIs } from '../rules/who.ts';
import { FindEverywhere } from './find/everywhere.tsx';
import { useInfo } from './info.ts';
import { useKeyboard } from './keyboard.ts';
import { KeyHelp } from './keyHelp.tsx';
import { PLACES } from './places.ts';
import { connection } from './queries.ts';
import { refusalOf } from './refusal.ts';
import { Refused } from './refused.tsx';
import { useSession } from './session.ts';
import { theme, timeForm, useSetting, type Setting } from './settings.ts';
import { useSignOut } from './signOut.ts';
import { SampleDialog } from './streams/sample.tsx';
import { Button } from './ui/button.tsx';
import { Menu } from './ui/menu.tsx';
import { Failed, Loading } from './ui/notice.tsx';

/** The frame around each page. It first reads the session; `children` are shown instead of the page if given. */
export function Layout({ children = <Outlet /> }: { children?: ReactNode }) {
  const who = useSession();
  const [isHelping, setHelping] = useState(false);
  const main = useRef<HTMLElement>(null);
  useKeyboard(main, () => setHelping(true));
  if (who.isPending) return <Loading what="the session" />;
  if (who.data === undefined) {
    return (
      <main className="mx-auto max-w-xl p-4">
        <Failed error={who.error} again={() => void who.refetch()} />
      </main>
    );
  }
  const refusal = refusalOf(who.data.scopes, 'read');
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:z-60 focus:bg-panel focus:p-2"
      >
        Skip to content
      </a>
      <header className="relative z-30 border-b border-line bg-panel sm:sticky sm:top-0">
        <div className="mx-auto flex max-w-[90rem] flex-wrap items-center gap-x-4 px-3 sm:px-5">
          <Link to="/" className="flex items-center gap-2 py-2 font-semibold">
            <img src={logo} alt="" width={20} height={20} />
            Millrace
          </Link>
          {refusal === null && (
            <nav
              aria-label="Pages"
              className="order-last -mx-2 flex w-full flex-wrap gap-x-1 lg:order-none lg:mx-0 lg:w-auto"
            >
              {PLACES.map(({ to, title }) => (
                <Link
                  key={to}
                  to={to}
                  activeOptions={{ exact: to === '/', includeSearch: false }}
                  className="border-b-2 border-transparent px-2 py-2 font-medium whitespace-nowrap text-soft hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink"
                >
                  {title}
                </Link>
              ))}
            </nav>
          )}
          <div className="ml-auto flex min-w-0 flex-1 items-center justify-end gap-1">
            {refusal === null && <FindEverywhere />}
            <Connection />
            <ViewMenu onHelp={() => setHelping(true)} name={who.data.name} />
          </div>
        </div>
      </header>
      <main
        id="main"
        ref={main}
        tabIndex={-1}
        className="mx-auto flex w-full max-w-[90rem] flex-1 flex-col gap-4 px-3 py-4 sm:px-5"
      >
        {refusal === null ? children : <AppendOnly refusal={refusal} />}
      </main>
      {refusal === null && <Footer />}
      <KeyHelp open={isHelping} onClose={() => setHelping(false)} />
    </div>
  );
}

/** The page of a session without the scope `read`: the few things it can do here. */
function AppendOnly({ refusal }: { refusal: string }) {
  const [isSending, setSending] = useState(false);
  return (
    <Refused title="Nothing to show" refusal={refusal}>
      <Button kind="main" onClick={() => setSending(true)}>
        Send a sample…
      </Button>
      {isSending && <SampleDialog onClose={() => setSending(false)} />}
    </Refused>
  );
}

const logo = new URL('./icon.svg', import.meta.url).href;

function Connection() {
  const isUp = useSyncExternalStore(connection.subscribe, connection.get);
  return (
    <span role="status" className={`px-1 text-xs ${isUp ? 'text-soft' : 'font-semibold text-bad'}`}>
      {isUp ? (
        <>
          ● <span className="max-sm:sr-only">Connected</span>
        </>
      ) : (
        '■ No connection; retrying'
      )}
    </span>
  );
}

function ViewMenu({ onHelp, name }: { onHelp: () => void; name: string }) {
  const signOut = useSignOut();
  const shownTheme = useSetting(theme);
  const shownTimes = useSetting(timeForm);
  return (
    <Menu
      title="View"
      items={[
        ...choices(theme, shownTheme, {
          system: 'System theme',
          light: 'Light',
          dark: 'Dark',
        }),
        ...choices(timeForm, shownTimes, {
          relative: 'Relative times',
          utc: 'Times in UTC',
          local: 'Local times',
        }),
        { label: 'Keyboard shortcuts  ?', onSelect: onHelp },
        { label: `Sign out (${whoIs(name).slice(0, 40)})`, onSelect: signOut },
      ]}
    />
  );
}

function choices<W extends string>(setting: Setting<W>, shown: W, labels: Record<W, string>) {
  return setting.words.map((word) => ({
    label: labels[word],
    isChosen: word === shown,
    onSelect: () => setting.set(word),
  }));
}

function Footer() {
  const { data: info } = useInfo();
  if (info === undefined) return null;
  return (
    <footer className="flex flex-wrap justify-center gap-x-4 gap-y-1 border-t border-line px-3 py-3 text-xs text-soft">
      <span>Millrace {info.version}</span>
      <span>Region {info.region}</span>
      <a className="underline" href="/docs">
        Docs
      </a>
      {info.temporal.ui_url !== null && (
        <a className="underline" href={info.temporal.ui_url} target="_blank" rel="noreferrer">
          Temporal
        </a>
      )}
    </footer>
  );
}
