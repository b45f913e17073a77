import { Link } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import type { Column } from '../ui/dataTable.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { duration } from '../words.ts';
import type { AsideTab } from './asideTab.ts';
import { LastFailure, Rate } from './rowTraffic.tsx';
import { waitingNumber } from './waits.ts';

/** The column of names, which lead to the consumers' pages, or to a tab of them if one is given. */
export function nameColumn(tab?: AsideTab): Column<Consumer> {
  return {
    id: 'name',
    title: 'Name',
    width: 'minmax(0,3fr)',
    cell: ({ id, name }) => (
      <Link
        to="/consumers/$id"
        params={{ id }}
        search={tab === undefined ? {} : { tab }}
        className="foreign line-clamp-2 font-medium hover:underline sm:line-clamp-1"
      >
        {name}
      </Link>
    ),
  };
}

/** The further columns that every list of consumers has. */
export const STATUS: Column<Consumer> = {
  id: 'status',
  title: 'Status',
  width: '6rem',
  cell: ({ status }) => <StatusBadge status={status} />,
};

export const LAG: Column<Consumer> = {
  id: 'lag',
  title: 'Lag',
  width: '6rem',
  align: 'right',
  cell: ({ lag }) => (
    <span className={lag.entries === 0 ? 'text-soft' : ''}>
      {waitingNumber(lag)}
      {lag.entries > 0 && (
        <span className="block text-xs whitespace-nowrap text-soft">{duration(lag.seconds)}</span>
      )}
    </span>
  ),
};

export const RATE: Column<Consumer> = {
  id: 'rate',
  title: 'Delivered in 30 min',
  width: '10rem',
  isExtra: true,
  cell: (consumer) => <Rate consumer={consumer} />,
};

export const FAILURE: Column<Consumer> = {
  id: 'failure',
  title: 'Last failure',
  width: 'minmax(0,4fr)',
  isExtra: true,
  cell: (consumer) => <LastFailure consumer={consumer} />,
};
