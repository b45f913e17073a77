import { useNavigate, useSearch } from '@tanstack/react-router';

import { ApiKeys } from '../apiKeys/list.tsx';
import { ChangesLog } from '../changes/log.tsx';
import type { SettingsSearch as Search } from '../latePages.ts';
import { ThisConsole } from '../thisConsole.tsx';
import { PageHead } from '../ui/panel.tsx';
import { Tabs } from '../ui/tabs.tsx';

/** What is installed, who may use it, and who changed what. */
export function SettingsPage() {
  const { tab = 'general', consumer } = useSearch({ from: '/inside/settings' });
  const navigate = useNavigate();
  const set = (search: Search): void => void navigate({ to: '/settings', search, replace: true });
  return (
    <>
      <PageHead title="Settings" />
      <Tabs
        label="Settings"
        chosen={tab}
        onChoose={(next) => set({ tab: next })}
        tabs={[
          { id: 'general', title: 'General', content: <ThisConsole /> },
          { id: 'keys', title: 'API keys', content: <ApiKeys /> },
          {
            id: 'changes',
            title: 'Changes',
            content: (
              <ChangesLog
                consumer={consumer}
                onFilter={(id) => set({ tab: 'changes', consumer: id })}
              />
            ),
          },
        ]}
      />
    </>
  );
}
