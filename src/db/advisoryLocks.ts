/**
 * The numbers of the advisory locks, each named after the work that only one process may do at a
 * time. They are arbitrary but distinct, and a number never changes: processes of two versions that
 * run side by side have to use the same lock.
 */
export const ADVISORY_LOCKS = {
  migrate: 4_600_001,
  createPartitions: 4_600_002,
  countEvents: 4_600_003,
  dropEvents: 4_600_004,
  dropAttempts: 4_600_005,
  watchAging: 4_600_006,
  countAttempts: 4_600_007,
  nameSources: 4_600_008,
  watchSources: 4_600_009,
  watchCertificates: 4_600_010,
} as const;
