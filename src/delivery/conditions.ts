import { createTurn, type Turn } from '../flow/turn.ts';
import { celEntry, CelFault, type CelEntry } from '../rules/cel.ts';
import { compileWhere } from '../rules/where.ts';
import type { StreamName } from '../schema/stream.ts';

/** An entry as conditions see it. */
export interface ConditionEntry {
  position: number;
  body: string;
}

/** An evaluation that failed. */
export interface ConditionFault {
  consumerId: string;
  /** The newest version of the filter. */
  filterVersion: number;
  position: number;
  /** A sentence. */
  detail: string;
}

/** Whether an entry satisfies a condition; one for which that can't be told does not. */
export type Satisfies = (entry: ConditionEntry) => boolean;

/** Compiles the conditions of one consumer's filter versions, of which `newest` is the newest. */
export type CompileCondition = (where: string, newest: number) => Satisfies;

/** Evaluates the conditions of all consumers of a process, so that an entry is parsed once for those that follow it. */
export interface Conditions {
  /** The conditions of one consumer; what can't be evaluated is noted. */
  of(consumer: { consumerId: string; stream: StreamName }): CompileCondition;
  /** The time that evaluations may take before other work gets its turn. */
  readonly turn: Turn;
}

/**
 * How many characters of entries stay parsed for other consumers. It is little, because consumers look at the newest
 * entries at the same time, and what is kept for longer costs the garbage collector.
 */
const KEPT_CHARACTERS = 256 * 1024;

/** Creates the evaluation for a process. */
export function createConditions(options: { note: (fault: ConditionFault) => void }): Conditions {
  const parsed = new Map<ConditionEntry, { entry: CelEntry; characters: number }>();
  let kept = 0;

  function parsedOf(of: ConditionEntry, stream: StreamName): CelEntry {
    const known = parsed.get(of);
    if (known !== undefined) return known.entry;
    const entry = celEntry(of.body, stream);
    const characters = of.body.length;
    parsed.set(of, { entry, characters });
    kept += characters;
    if (kept > KEPT_CHARACTERS) forgetOldest();
    return entry;
  }

  function forgetOldest(): void {
    for (const [oldest, { characters }] of parsed) {
      if (kept <= KEPT_CHARACTERS) return;
      parsed.delete(oldest);
      kept -= characters;
    }
  }

  return {
    turn: createTurn(),
    of:
      ({ consumerId, stream }) =>
      (text, filterVersion) => {
        const where = compileWhere(text, stream);
        return (entry) => {
          try {
            return where.holds(parsedOf(entry, stream));
          } catch (error) {
            if (!(error instanceof CelFault)) throw error;
            const { position } = entry;
            options.note({ consumerId, filterVersion, position, detail: error.message });
            return false;
          }
        };
      },
  };
}
