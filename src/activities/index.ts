import type { ControlActivities, DeliveryActivities } from './contract.ts';
import { createControlActivities, type ControlDeps } from './control.ts';
import { deliver, type DeliverDeps } from './deliver.ts';
import { drain, type DrainDeps } from './drain.ts';
import { follow, type FollowDeps } from './follow.ts';
import { visit, type VisitDeps } from './visit.ts';

/** Creates the activities that the control worker registers. */
export function createControl(deps: ControlDeps): ControlActivities {
  return createControlActivities(deps);
}

/** Creates the activities that the region's delivery worker registers. */
export function createDelivery(
  deps: DrainDeps & DeliverDeps & VisitDeps & FollowDeps,
): DeliveryActivities {
  return {
    drain: (input) => drain(deps, input),
    deliver: (input) => deliver(deps, input),
    visit: (input) => visit(deps, input),
    follow: (input) => follow(deps, input),
  };
}
