/** OverviewPage. */
export function OverviewPage() {
  return <h1 className="text-xl font-semibold">overview</h1>;
}
