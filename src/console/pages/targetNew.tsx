import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { api } from '../api.ts';
import { errorsOf } from '../fieldErrors.ts';
import { NEW_SECRET } from '../firstRun/newSecret.tsx';
import { useReads } from '../queries.ts';
import { Refused } from '../refused.tsx';
import { useRefusal } from '../session.ts';
import { BLANK, bodyOf, TARGET_FORM } from '../targets/draft.ts';
import { newFaults } from '../targets/faults.ts';
import { fieldName } from '../targets/fieldNames.ts';
import { TargetForm } from '../targets/form.tsx';
import { newSigningSecret, WholeSecret } from '../targets/secret.tsx';
import { TestResult } from '../targets/testResult.tsx';
import { Button, buttonLook } from '../ui/button.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { useFaults } from '../useFaults.ts';
import { useForm } from '../useForm.ts';

const TITLE = 'New target: Webhook endpoint';

/** A new webhook endpoint, for a session that may create one. */
export function TargetNewPage() {
  const refusal = useRefusal('manage');
  if (refusal === null) return <NewTarget />;
  return (
    <Refused title={TITLE} refusal={refusal}>
      <Link to="/targets" className={buttonLook('main')}>
        Back to targets
      </Link>
    </Refused>
  );
}

/** The form of a new target, which can be tested before it is saved. */
function NewTarget() {
  const { url, name }: { url?: string; name?: string } = useSearch({ from: '/inside/targets/new' });
  const form = useForm(TARGET_FORM, BLANK, () => ({
    ...(name !== undefined && { name }),
    ...(url !== undefined && { base_url: url }),
  }));
  const { values: draft } = form;
  const queries = useQueryClient();
  const reads = useReads();
  const navigate = useNavigate();
  const { element, isSendable, faultAt } = useFaults(newFaults(draft));
  // Made here, so that a receiver can have it before the first test.
  const [secret, setSecret] = useState(newSigningSecret);
  const test = useMutation({
    mutationFn: (draftInput: ReturnType<typeof input>) => api.targets.testDraft(draftInput),
  });
  const save = useMutation({
    mutationFn: () => api.targets.create(input()),
    onSuccess: async (target) => {
      form.drop();
      await reads.again(['targets']);
      const consumers = await queries.fetchQuery({
        queryKey: ['consumers', 'newest'],
        queryFn: () => api.consumers.list({ limit: 2 }),
      });
      if (consumers.data.length > 0) return;
      queries.setQueryData(NEW_SECRET, target.signing_secret);
      await navigate({ to: '/', replace: true });
    },
  });
  const input = () => ({
    ...bodyOf(draft),
    name: draft.name.trim() || hostOf(draft.base_url),
    signing_secret: secret,
  });
  const isOlder = JSON.stringify(test.variables) !== JSON.stringify(input());
  const problem = save.error ?? test.error;
  const refused = errorsOf(problem);

  if (save.isSuccess) return <Saved target={save.data} />;
  return (
    <>
      <PageHead title={TITLE} />
      {form.isRestored && (
        <Hint>
          Your unsaved draft was restored. Credentials, headers and a client certificate were not
          kept: fill them in again. The signing secret is a new one.
        </Hint>
      )}
      <form
        className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]"
        ref={element}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          test.reset();
          if (isSendable()) save.mutate();
          else save.reset();
        }}
      >
        <div className="flex min-w-0 flex-col gap-3">
          <TargetForm
            draft={draft}
            proposedName={hostOf(draft.base_url)}
            onChange={form.set}
            errorAt={(pointer) => faultAt(pointer) ?? refused(pointer)}
          />
        </div>
        <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-16">
          <Panel title="Signing secret">
            <WholeSecret secret={secret} />
          </Panel>
          <Panel title="Try it before you save it">
            <p className="text-soft">
              Sends one signed webhook with the body {'{"test":{…}}'} and shows what comes back.
            </p>
            <div>
              <Button
                busy={test.isPending}
                onClick={() => {
                  save.reset();
                  if (isSendable()) test.mutate(input());
                }}
              >
                {test.isPending ? 'Sending…' : 'Send test webhook'}
              </Button>
            </div>
            {test.data !== undefined && <TestResult test={test.data} isOlder={isOlder} />}
          </Panel>
          <Unsaved error={problem} nameOf={fieldName} />
          <div className="flex flex-wrap gap-2">
            <Button type="submit" kind="main" busy={save.isPending}>
              Save target
            </Button>
            <Link to="/targets" className={buttonLook('quiet')}>
              Cancel
            </Link>
            {form.isFilled && (
              <Button
                kind="quiet"
                onClick={() => {
                  form.startOver();
                  setSecret(newSigningSecret());
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

/** The secret of a new target, and the links to the next steps. */
function Saved({ target }: { target: Target }) {
  return (
    <>
      <PageHead title={`${target.name} is saved`} />
      <Panel title="Signing secret">
        <WholeSecret secret={target.signing_secret} />
      </Panel>
      <div className="flex flex-wrap gap-2">
        <Link to="/consumers/new" search={{ target: target.id }} className={buttonLook('main')}>
          Next: add webhooks
        </Link>
        <Link to="/targets/$id" params={{ id: target.id }} className={buttonLook()}>
          Open the target
        </Link>
      </div>
    </>
  );
}

/** The name that a target has unless it is given another one: the host of its URL. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
