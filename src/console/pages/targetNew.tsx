/** TargetNewPage. */
export function TargetNewPage() {
  return <h1 className="text-xl font-semibold">targetNew</h1>;
}
