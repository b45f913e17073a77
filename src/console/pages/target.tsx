/** TargetPage. */
export function TargetPage() {
  return <h1 className="text-xl font-semibold">target</h1>;
}
