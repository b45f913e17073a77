import { createRootRoute, createRoute, createRouter, Outlet } from '@tanstack/react-router';

import { Layout } from './layout.tsx';
import { AlertsPage, alertsSearch } from './pages/alerts.tsx';
import { BrokenPage } from './pages/broken.tsx';
import { ConsumerPage, consumerSearch } from './pages/consumer.tsx';
import { ConsumerNewPage, consumerNewSearch } from './pages/consumerNew.tsx';
import { ConsumersPage, consumersSearch } from './pages/consumers.tsx';
import { DeadLettersPage, deadLettersSearch } from './pages/deadLetters.tsx';
import { NotFoundPage } from './pages/notFound.tsx';
import { OverviewPage, overviewSearch } from './pages/overview.tsx';
import { SettingsPage, settingsSearch } from './pages/settings.tsx';
import { SignInPage, signInSearch } from './pages/signIn.tsx';
import { SourcePage, sourceSearch } from './pages/source.tsx';
import { SourceNewPage } from './pages/sourceNew.tsx';
import { SourcesPage, sourcesSearch } from './pages/sources.tsx';
import { StreamsPage, streamsSearch } from './pages/streams.tsx';
import { TargetPage, targetSearch } from './pages/target.tsx';
import { TargetNewPage, targetNewSearch } from './pages/targetNew.tsx';
import { TargetsPage, targetsSearch } from './pages/targets.tsx';
import { parseSearch, printSearch } from './search.ts';

// There is one entry for each page: import the page above, add it here and to `inside.addChildren` below.

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/signin',
  validateSearch: signInSearch,
  component: SignInPage,
});
/** The pages for a signed-in session, with the navigation around them. */
const inside = createRoute({ getParentRoute: () => root, id: 'inside', component: Layout });
const page = () => inside;

const overview = createRoute({
  getParentRoute: page,
  path: '/',
  validateSearch: overviewSearch,
  component: OverviewPage,
});
const targets = createRoute({
  getParentRoute: page,
  path: '/targets',
  validateSearch: targetsSearch,
  component: TargetsPage,
});
const targetNew = createRoute({
  getParentRoute: page,
  path: '/targets/new',
  validateSearch: targetNewSearch,
  component: TargetNewPage,
});
const target = createRoute({
  getParentRoute: page,
  path: '/targets/$id',
  validateSearch: targetSearch,
  component: TargetPage,
});
const consumers = createRoute({
  getParentRoute: page,
  path: '/consumers',
  validateSearch: consumersSearch,
  component: ConsumersPage,
});
const consumerNew = createRoute({
  getParentRoute: page,
  path: '/consumers/new',
  validateSearch: consumerNewSearch,
  component: ConsumerNewPage,
});
const consumer = createRoute({
  getParentRoute: page,
  path: '/consumers/$id',
  validateSearch: consumerSearch,
  component: ConsumerPage,
});
const sources = createRoute({
  getParentRoute: page,
  path: '/sources',
  validateSearch: sourcesSearch,
  component: SourcesPage,
});
const sourceNew = createRoute({
  getParentRoute: page,
  path: '/sources/new',
  component: SourceNewPage,
});
const source = createRoute({
  getParentRoute: page,
  path: '/sources/$id',
  validateSearch: sourceSearch,
  component: SourcePage,
});
const deadLetters = createRoute({
  getParentRoute: page,
  path: '/dead-letters',
  validateSearch: deadLettersSearch,
  component: DeadLettersPage,
});
const alerts = createRoute({
  getParentRoute: page,
  path: '/alerts',
  validateSearch: alertsSearch,
  component: AlertsPage,
});
const streams = createRoute({
  getParentRoute: page,
  path: '/streams',
  validateSearch: streamsSearch,
  component: StreamsPage,
});
const settings = createRoute({
  getParentRoute: page,
  path: '/settings',
  validateSearch: settingsSearch,
  component: SettingsPage,
});

const tree = root.addChildren([
  signIn,
  inside.addChildren([
    overview,
    targets,
    targetNew,
    target,
    consumers,
    consumerNew,
    consumer,
    sources,
    sourceNew,
    source,
    deadLetters,
    alerts,
    streams,
    settings,
  ]),
]);

function NotFound() {
  return (
    <Layout>
      <NotFoundPage />
    </Layout>
  );
}

/** Every page of the console by its address. */
export function createConsoleRouter() {
  return createRouter({
    routeTree: tree,
    parseSearch,
    stringifySearch: printSearch,
    defaultPreload: false,
    scrollRestoration: true,
    defaultNotFoundComponent: NotFound,
    defaultErrorComponent: BrokenPage,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>;
  }
}
