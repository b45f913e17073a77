import { readFile } from 'node:fs/promises';

import { csvParse } from 'd3-dsv';

/** One row of a file; numeric columns are numbers, all others strings. */
export type Row = Record<string, string | number>;

/** The data that the demo sends. */
export interface DemoData {
  /** 3,376 airports of the USA: iata, name, city, state, country, latitude, longitude. */
  airports: Row[];
  /** Departures in 2008 by airport; each airport in it is one of `airports`. */
  departures: Map<string, number>;
  /** Monthly prices of five companies from January 2000 on, one list per month. */
  months: { name: string; prices: Row[] }[];
}

/** Reads the files of the `vega-datasets` package that npm has installed. */
export async function readDemoData(): Promise<DemoData> {
  const [airports, flights, stocks] = await Promise.all([
    read('airports.csv'),
    read('flights-airport.csv'),
    read('stocks.csv'),
  ]);
  const known = new Set(airports.map((row) => row['iata']));
  const departures = new Map<string, number>();
  for (const row of flights) {
    const iata = row['origin'] ?? '';
    if (!known.has(iata)) continue;
    departures.set(iata, (departures.get(iata) ?? 0) + Number(row['count']));
  }
  const months = Map.groupBy(stocks, (row) => row['date'] ?? '');
  return {
    airports: airports.map((row) => toRow(row, ['latitude', 'longitude'])),
    departures,
    months: [...months]
      .map(([date, rows]) => ({ date, prices: rows.map((row) => toRow(row, ['price'])) }))
      .sort((a, b) => Date.parse(a.date) - Date.parse(b.date))
      .map(({ date, prices }) => ({ name: date.replace(' 1 ', ' '), prices })),
  };
}

async function read(name: string): Promise<Record<string, string>[]> {
  const file = new URL(`../data/${name}`, import.meta.resolve('vega-datasets'));
  return [...csvParse(await readFile(file, 'utf8'))];
}

function toRow(text: Record<string, string>, numbers: string[]): Row {
  return Object.fromEntries(
    Object.entries(text).map(([name, value]) => [
      name,
      numbers.includes(name) ? Number(value) : value,
    ]),
  );
}
