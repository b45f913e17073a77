/** ConsumersPage. */
export function consumersSearch(search: Record<string, unknown>): { q?: string } {
  return search;
}
export function ConsumersPage() {
  return <h1 className="text-xl font-semibold">consumers</h1>;
}
