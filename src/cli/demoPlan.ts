import type { DemoData, Row } from './demoData.ts';

export const AIRPORTS = 'faa:airport';
export const STOCKS = 'market:stock';
const SYNC = 'vega-datasets';

/** A record change in the form of `POST /v1/records`. */
export interface DemoChange {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  data?: Row;
  deleted?: true;
}

/** One step of the demo. Both consumers have to get its entries before the next step begins. */
export interface Step {
  title: string;
  detail?: string;
  /** Removes this collection from the filter of the `events` consumer, or adds it, before the appends. */
  filter?: { signal: 'removeCollections' | 'addCollections'; collection: string };
  /** The changes of each request. */
  appends: DemoChange[][];
  /** Whether the requests are spread over time, not sent as one. */
  live: boolean;
}

/** Plans the whole demo. The demo performs the steps; its receiver knows from them what must come. */
export function planDemo({ airports, departures, months }: DemoData): Step[] {
  const prices = months.map((month) => month.prices.map(toStock));
  const [first, second] = [60, 96]; // months of the data in which the filter changes
  const span = (from: number, to: number): string =>
    `${months[from]?.name} to ${months[to - 1]?.name}`;
  const flights = [...departures].map(([iata, count]) => ({ iata, count }));
  const byIata = new Map(airports.map((airport) => [airport['iata'], airport]));
  const withFlights = flights.map(({ iata, count }) =>
    toAirport({ ...byIata.get(iata), departures: count }),
  );
  const share = Math.ceil(withFlights.length / (second - first));
  const nowhere = airports.filter((airport) => airport['state'] === 'NA');

  return [
    {
      title: `A backlog: ${airports.length.toLocaleString('en')} airports are appended first, and the consumers start at the beginning`,
      appends: [airports.map(toAirport)],
      live: false,
    },
    {
      title: `Live: the stock prices of five companies, month by month (${span(0, first)})`,
      appends: prices.slice(0, first),
      live: true,
    },
    {
      title: `The filter changes while it runs: ${STOCKS} is removed from the filter of the events consumer, by a Temporal signal`,
      detail: `Prices continue (${span(first, second)}), and ${withFlights.length} airports get their departures`,
      filter: { signal: 'removeCollections', collection: STOCKS },
      appends: prices
        .slice(first, second)
        .map((month, index) => [
          ...month,
          ...withFlights.slice(index * share, (index + 1) * share),
        ]),
      live: true,
    },
    {
      title: `${STOCKS} is added again, by another signal`,
      detail: `What was left out stays out; prices from here on are sent (${span(second, prices.length)})`,
      filter: { signal: 'addCollections', collection: STOCKS },
      appends: prices.slice(second),
      live: true,
    },
    {
      title: `Deletions: the ${nowhere.length} airports that are in no state`,
      appends: nowhere.map((airport) => [
        {
          sync_id: SYNC,
          collection_id: AIRPORTS,
          upstream_id: String(airport['iata']),
          deleted: true as const,
        },
      ]),
      live: true,
    },
  ];
}

function toAirport(row: Row): DemoChange {
  const id = String(row['iata']);
  return { sync_id: SYNC, collection_id: AIRPORTS, upstream_id: id, data: row };
}

function toStock(row: Row): DemoChange {
  const id = String(row['symbol']);
  return { sync_id: SYNC, collection_id: STOCKS, upstream_id: id, data: row };
}
