/** The formats that are read. */
export const FORMATS = ['singer', 'airbyte', 'debezium'] as const;

/** The flags of `millrace ingest`. */
export interface IngestFlags {
  format: (typeof FORMATS)[number];
  sync: string;
  provider: string;
  catalog?: string;
  key?: string[];
  state?: string;
  stateValues?: boolean;
  fullPass?: boolean;
  confirmDeletes?: boolean;
}
