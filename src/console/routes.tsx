import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router';

import {
  alertsSearch,
  consumerNewSearch,
  consumerSearch,
  deadLettersSearch,
  settingsSearch,
  sourceSearch,
  streamsSearch,
  targetNewSearch,
  targetSearch,
} from './latePages.ts';
import { Layout } from './layout.tsx';
import { BrokenPage } from './pages/broken.tsx';
import { ConsumersPage, consumersSearch } from './pages/consumers.tsx';
import { NotFoundPage } from './pages/notFound.tsx';
import { OverviewPage, overviewSearch } from './pages/overview.tsx';
import { SignInPage, signInSearch } from './pages/signIn.tsx';
import { SourcesPage, sourcesSearch } from './pages/sources.tsx';
import { TargetsPage, targetsSearch } from './pages/targets.tsx';
import { parseSearch, printSearch } from './search.ts';

// There is one entry for each page: import the page above, add it here and to `inside.addChildren` below. Pages that are
// opened now and then are loaded when they are, so that the others open sooner.

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
  component: lazyRouteComponent(() => import('./pages/targetNew.tsx'), 'TargetNewPage'),
});
const target = createRoute({
  getParentRoute: page,
  path: '/targets/$id',
  validateSearch: targetSearch,
  component: lazyRouteComponent(() => import('./pages/target.tsx'), 'TargetPage'),
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
  component: lazyRouteComponent(() => import('./pages/consumerNew.tsx'), 'ConsumerNewPage'),
});
const consumer = createRoute({
  getParentRoute: page,
  path: '/consumers/$id',
  validateSearch: consumerSearch,
  component: lazyRouteComponent(() => import('./pages/consumer.tsx'), 'ConsumerPage'),
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
  component: lazyRouteComponent(() => import('./pages/sourceNew.tsx'), 'SourceNewPage'),
});
const source = createRoute({
  getParentRoute: page,
  path: '/sources/$id',
  validateSearch: sourceSearch,
  component: lazyRouteComponent(() => import('./pages/source.tsx'), 'SourcePage'),
});
const deadLetters = createRoute({
  getParentRoute: page,
  path: '/dead-letters',
  validateSearch: deadLettersSearch,
  component: lazyRouteComponent(() => import('./pages/deadLetters.tsx'), 'DeadLettersPage'),
});
const alerts = createRoute({
  getParentRoute: page,
  path: '/alerts',
  validateSearch: alertsSearch,
  component: lazyRouteComponent(() => import('./pages/alerts.tsx'), 'AlertsPage'),
});
const streams = createRoute({
  getParentRoute: page,
  path: '/streams',
  validateSearch: streamsSearch,
  component: lazyRouteComponent(() => import('./pages/streams.tsx'), 'StreamsPage'),
});
const settings = createRoute({
  getParentRoute: page,
  path: '/settings',
  validateSearch: settingsSearch,
  component: lazyRouteComponent(() => import('./pages/settings.tsx'), 'SettingsPage'),
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
