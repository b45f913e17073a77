/** ConsumerNewPage. */
export function consumerNewSearch(search: Record<string, unknown>): { q?: string } {
  return search;
}
export function ConsumerNewPage() {
  return <h1 className="text-xl font-semibold">consumerNew</h1>;
}
