import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';

import { api } from '../api.ts';
import { errorsOf } from '../fieldErrors.ts';
import { useReads } from '../queries.ts';
import { Refused } from '../refused.tsx';
import { useRefusal } from '../session.ts';
import { Connection } from '../sources/connection.tsx';
import { nameIn } from '../sources/databaseUrl.ts';
import { BLANK, bodyOf, SOURCE_FORM } from '../sources/draft.ts';
import { Effects } from '../sources/effects.tsx';
import { connectionFaults, newFaults } from '../sources/faults.ts';
import { FindingList, findingsIn } from '../sources/findings.tsx';
import { SourceForm } from '../sources/form.tsx';
import { choicesOf } from '../sources/tableChoices.ts';
import { useConnectionTest } from '../sources/useConnectionTest.ts';
import { Button, buttonLook } from '../ui/button.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { useFaults } from '../useFaults.ts';
import { useForm } from '../useForm.ts';

const TITLE = 'New source: Postgres';

/** A new database to follow, for a session that may create one. */
export function SourceNewPage() {
  const refusal = useRefusal('manage');
  if (refusal === null) return <NewSource />;
  return (
    <Refused title={TITLE} refusal={refusal}>
      <Link to="/sources" className={buttonLook('main')}>
        Back to sources
      </Link>
    </Refused>
  );
}

/** The form of a new source; its connection is tested first, which shows the tables to select. */
function NewSource() {
  const form = useForm(SOURCE_FORM, BLANK, () => ({}));
  const { values: draft } = form;
  const reads = useReads();
  const navigate = useNavigate();
  const whole = useFaults(newFaults(draft));
  const address = useFaults(connectionFaults(draft));
  const test = useConnectionTest(({ url, ca }) =>
    api.sources.testDraft({ kind: 'postgres', url, ca, tables: [] }),
  );
  const save = useMutation({
    mutationFn: () => api.sources.create(bodyOf(draft)),
    onSuccess: async (source) => {
      form.drop();
      await reads.replace(['source', source.id], source);
      await reads.again(['sources']);
      await navigate({ to: '/sources/$id', params: { id: source.id }, replace: true });
    },
  });
  const refused = errorsOf(save.error ?? test.error);
  const findings = findingsIn(save.error);
  const found = test.data?.tables ?? null;
  const selected = new Set(draft.tables);

  return (
    <>
      <PageHead title={TITLE} />
      {form.isRestored && (
        <Hint>Your unsaved draft was restored. The URL was not kept: fill it in again.</Hint>
      )}
      <form
        className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]"
        ref={(element) => {
          whole.element.current = element;
          address.element.current = element;
        }}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (whole.isSendable()) save.mutate();
          else save.reset();
        }}
      >
        <div className="flex min-w-0 flex-col gap-3">
          <SourceForm
            draft={draft}
            proposedName={nameIn(draft.url)}
            onChange={form.set}
            errorAt={(pointer) =>
              whole.faultAt(pointer) ?? address.faultAt(pointer) ?? refused(pointer)
            }
            found={found}
          >
            <Connection
              test={test}
              isOlder={test.isOlder(draft)}
              onTest={() => {
                save.reset();
                if (address.isSendable()) test.run(draft);
              }}
            />
          </SourceForm>
        </div>
        <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-16">
          <Panel title="What will happen">
            <Effects
              name={bodyOf(draft).name}
              tables={choicesOf(found ?? [], draft.tables).filter(({ table }) =>
                selected.has(table),
              )}
            />
          </Panel>
          <Unsaved error={save.error} />
          {findings.length > 0 && <FindingList findings={findings} />}
          <div className="flex flex-wrap gap-2">
            <Button type="submit" kind="main" busy={save.isPending}>
              {save.isPending ? 'Checking…' : 'Save source'}
            </Button>
            <Link to="/sources" className={buttonLook('quiet')}>
              Cancel
            </Link>
            {form.isFilled && (
              <Button
                kind="quiet"
                onClick={() => {
                  form.startOver();
                  save.reset();
                  test.reset();
                }}
              >
                Start over
              </Button>
            )}
          </div>
        </div>
      </form>
    </>
  );
}
