/** Events that a consumer had still to pass when they were dropped. */
export interface Lost {
  count: number;
  /** The lowest and the highest of their positions. */
  first: number;
  last: number;
}
