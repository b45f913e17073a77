import { useIsMutating } from '@tanstack/react-query';

/** The key of the change that deletes a consumer, a target or a source. */
export function deletionOf(id: string): readonly string[] {
  return ['delete', id];
}

/**
 * Whether a deletion is under way. The thing may be gone before the answer says so: its page reads it no more, and stays
 * as it is until the list is shown.
 */
export function useIsBeingDeleted(id: string): boolean {
  return useIsMutating({ mutationKey: deletionOf(id) }) > 0;
}
