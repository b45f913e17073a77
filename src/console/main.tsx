import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { keepPresses } from './press.ts';
import { createQueries } from './queries.ts';
import { createConsoleRouter } from './routes.tsx';
import { applyTheme } from './settings.ts';

import './styles.css';
import { ToastProvider } from './ui/toast.tsx';

applyTheme();
keepPresses(document);

const router = createConsoleRouter();
const queries = createQueries(() => {
  const { pathname, href } = router.state.location;
  if (pathname === '/signin') return;
  void router.navigate({ to: '/signin', search: { next: href }, replace: true });
});

const place = document.getElementById('root');
if (place === null) throw new Error('index.html holds an element with the id root');
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <ToastProvider>
        <RouterProvider router={router} />
      </ToastProvider>
    </QueryClientProvider>
  </StrictMode>,
);
