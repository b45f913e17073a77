import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import { ConsumerChoice, useConsumer } from '../consumerChoice.tsx';
import { LetterList } from '../deadLetters/letterList.tsx';
import { WithLetters } from '../deadLetters/withLetters.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';

/** The dead letters of one consumer: found by failure and record, opened, sent again, deleted. */
export function DeadLettersPage() {
  const { consumer: id = '' } = useSearch({ from: '/inside/dead-letters' });
  const navigate = useNavigate();
  const consumer = useConsumer(id);
  return (
    <>
      <PageHead
        title="Dead letters"
        below={
          <p className="text-soft">
            Entries that the endpoint kept rejecting while it accepted others. They are kept, with
            their bodies, until you replay or delete them.
          </p>
        }
      />
      <div className="flex flex-wrap items-end gap-3">
        <div className="w-full sm:w-96">
          <ConsumerChoice
            value={id}
            placeholder="Select a consumer"
            onPick={(next) => void navigate({ to: '/dead-letters', search: { consumer: next } })}
          />
        </div>
        {consumer.data !== undefined && (
          <span className="flex min-h-8 items-center gap-2">
            <StatusBadge status={consumer.data.status} />
            <Link to="/consumers/$id" params={{ id }} className="underline">
              Open the consumer
            </Link>
          </span>
        )}
      </div>
      {id === '' && <WithLetters />}
      {id !== '' && consumer.error !== null && consumer.data === undefined && (
        <Failed error={consumer.error} again={() => void consumer.refetch()} />
      )}
      {id !== '' && consumer.isPending && <Loading what="the consumer" />}
      {consumer.data !== undefined && <Letters key={id} consumer={consumer.data} />}
    </>
  );
}

function Letters({ consumer }: { consumer: Consumer }) {
  const search = useSearch({ from: '/inside/dead-letters' });
  const navigate = useNavigate();
  return (
    <LetterList
      consumer={consumer}
      search={search}
      onSearch={(change, replace) =>
        void navigate({ to: '/dead-letters', search: { ...search, ...change }, replace })
      }
    />
  );
}
