/** One row of an import. */
export interface Row {
  syncId: string;
  collectionId: string;
  upstreamId: string;
  /** JSON text. */
  data: string;
}

const PAD = 'x'.repeat(450);

/** The row with this number. It is always the same, so that both ways of inserting get equal rows. */
export function rowOf(number: number): Row {
  return {
    syncId: `sync-${number % 100}`,
    collectionId: 'bench:item',
    upstreamId: `r-${number}`,
    data: `{"number":${number},"name":"row ${number}","pad":"${PAD}"}`,
  };
}
