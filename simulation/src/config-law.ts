// Where config is rolled out it comes with the revision: all pods of one revision have the same, whatever the ConfigMap
// says by then.
import type { LawParts } from './law-parts.ts';
import type { Machine } from './machine.ts';
import { configIn, isApp, setUidOf } from './truth.ts';

export function createConfigLaw({ trace }: Pick<LawParts, 'trace'>) {
  /** By DaemonSet and revision. */
  const known = new Map<string, string>();
  return {
    onEngine: (machine: Machine) => {
      for (const container of machine.engine.containers()) {
        const value = isApp(container) ? configIn(container) : undefined;
        if (value === undefined) continue;
        const { name, revision } = container.identity.pod;
        const key = `${setUidOf(machine, container)}/${revision}`;
        const before = known.get(key) ?? value;
        known.set(key, before);
        if (before !== value)
          trace.break(
            'config comes with its revision',
            `${machine.name}: ${name} of ${revision} has "${value}", others have "${before}"`,
          );
      }
    },
  };
}
