/** ConsumerPage. */
export function consumerSearch(search: Record<string, unknown>): { q?: string } {
  return search;
}
export function ConsumerPage() {
  return <h1 className="text-xl font-semibold">consumer</h1>;
}
