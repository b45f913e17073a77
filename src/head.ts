import { compile, inForce, type FilterVersion } from './filter.ts';
import type { Entry, Pages } from './pages.ts';
import type { StreamName } from './schema.ts';

const PAGE = { limit: 100, maxBytes: 4 * 1024 * 1024, scanRows: 50_000 };

export interface HeadRequest {
  pages: Pages;
  stream: StreamName;
  position: number;
  /** Settled above the position. */
  ahead: number[];
  filters: FilterVersion[];
}

/** The first entry of a consumer that is not settled, and how far was looked; null when nothing waits. */
export async function findHead(
  request: HeadRequest,
): Promise<{ entry: Entry | null; scannedTo: number }> {
  const { pages, stream } = request;
  const settled = new Set(request.ahead);
  const filters = request.filters.map((one) => ({
    ...one,
    filterFrom: one.filterFrom ?? Math.max(request.position, ...request.ahead),
  }));
  let after = request.position;
  for (;;) {
    const now = inForce(filters, after);
    const page = await pages.read({
      stream,
      after,
      ...(now.until === null ? {} : { until: now.until }),
      filter: now.filter,
      ...PAGE,
    });
    const also = now.also.map(compile);
    const entry = page.entries.find(
      (one) => !settled.has(one.position) && also.every((passes) => passes(one)),
    );
    if (entry !== undefined) return { entry, scannedTo: entry.position - 1 };
    if (page.scannedTo <= after || page.scannedTo >= page.last) {
      return { entry: null, scannedTo: Math.max(after, page.scannedTo) };
    }
    after = page.scannedTo;
  }
}
