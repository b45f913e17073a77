/** Where reading begins: with the newest entry and then backwards, or somewhere from which it goes forwards. */
export const STARTS = ['newest', '1h', '1d', '7d', 'beginning'] as const;
export type Start = (typeof STARTS)[number];
