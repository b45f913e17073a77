import { useState } from 'react';

import type { Source, SourceFinding } from '../../schema/source.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { DeleteDialog } from '../deleteDialog.tsx';
import { EditForm, type EditedFields } from '../editForm.tsx';
import { Button } from '../ui/button.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { useFaults } from '../useFaults.ts';
import { Connection } from './connection.tsx';
import { draftOf, patchOf, type SourceDraft } from './draft.ts';
import { connectionFaults, storedFaults } from './faults.ts';
import { FindingList, findingsIn } from './findings.tsx';
import { SourceForm } from './form.tsx';
import { useConnectionTest } from './useConnectionTest.ts';

/** The form of a source, what it has in its database, and its deletion. The page keeps the edits. */
export function SourceSettings(props: {
  source: Source;
  edits: Partial<SourceDraft>;
  onEdit: (edits: Partial<SourceDraft>) => void;
}) {
  const { source, edits, onEdit } = props;
  const [isDeleting, setDeleting] = useState(false);
  const [findings, setFindings] = useState<SourceFinding[]>([]);
  const save = async (draft: SourceDraft, changed: (keyof SourceDraft)[]): Promise<Source> => {
    setFindings([]);
    try {
      return await api.sources.update(source.id, patchOf(draft, changed));
    } catch (error) {
      setFindings(findingsIn(error));
      throw error;
    }
  };
  return (
    <>
      <EditForm
        stored={draftOf(source)}
        edits={edits}
        onEdit={onEdit}
        faultsOf={(draft) => storedFaults(draft, source.url)}
        save={save}
        queryKey={['source', source.id]}
        saved="Saved. It applies at once, and tables that were added are read."
        buttons={(isChanged) => (
          <Button
            kind="quiet"
            disabled={!isChanged}
            onClick={() => {
              onEdit({});
              setFindings([]);
            }}
          >
            Discard changes
          </Button>
        )}
      >
        {(fields) => (
          <>
            <Fields {...fields} source={source} />
            {findings.length > 0 && <FindingList findings={findings} />}
          </>
        )}
      </EditForm>
      <Panel title="In its database">
        <Facts
          facts={[
            ['Publication', <code key="publication">{source.publication}</code>],
            ['Replication slot', <code key="slot">{source.slot}</code>],
            ['Sync', <code key="sync">{source.sync_id}</code>],
            ['Source created', <TimeText key="created" at={source.created_at} />],
            ['Source changed', <TimeText key="changed" at={source.updated_at} />],
          ]}
        />
      </Panel>
      <Panel title="Delete source">
        <p className="text-soft">
          Its slot and its publication are dropped in its database. Records and events stay.
        </p>
        <div>
          <ActButton needs="manage" kind="danger" onClick={() => setDeleting(true)}>
            Delete
          </ActButton>
        </div>
      </Panel>
      <DeleteDialog
        kind="source"
        id={source.id}
        name={source.name}
        description={`Its tables are no longer followed, and the slot ${source.slot} and the publication ${source.publication} are dropped in its database. Its records and events stay in the streams. If its database can't be reached, it stays in the list until that is done.`}
        remove={() => api.sources.delete(source.id)}
        open={isDeleting}
        onClose={() => setDeleting(false)}
      />
    </>
  );
}

function Fields(props: EditedFields<SourceDraft> & { source: Source }) {
  const { draft, set, errorAt, source } = props;
  const address = useFaults(connectionFaults(draft, source.url));
  const test = useConnectionTest(({ url, ca }) =>
    url === source.url && ca === source.ca
      ? api.sources.test(source.id)
      : api.sources.testDraft({ kind: 'postgres', url, ca, tables: [] }),
  );
  return (
    <SourceForm
      draft={draft}
      onChange={set}
      errorAt={(pointer) => errorAt(pointer) ?? address.faultAt(pointer)}
      found={test.data?.tables ?? null}
    >
      <Connection
        test={test}
        isOlder={test.isOlder(draft)}
        onTest={() => {
          if (address.isSendable()) test.run(draft);
        }}
      />
    </SourceForm>
  );
}
