import { useState } from 'react';

import { Code } from '../ui/copyText.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { SNIPPETS, type Language } from './snippets.ts';

/** Code for the receiver that verifies webhooks with an official library of Standard Webhooks. */
export function VerifySnippet() {
  const [chosen, setChosen] = useState<Language>('Node');
  return (
    <>
      <Tabs
        label="Language"
        chosen={chosen}
        onChoose={setChosen}
        tabs={SNIPPETS.map(({ language, text }) => ({
          id: language,
          title: language,
          content: <Code label={`Verify in ${language}`} text={text} />,
        }))}
      />
      <p className="pt-2 text-soft">
        <a href="/docs/receiving" target="_blank" rel="noreferrer" className="underline">
          Receiving webhooks
        </a>{' '}
        has whole receivers, and what becomes of each answer.
      </p>
    </>
  );
}
