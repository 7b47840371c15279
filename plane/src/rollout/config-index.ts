// Who has to do with which ConfigMaps and Secrets: a change wakes those and no others.

export interface ConfigIndex {
  /** What this one has to do with from now on. */
  readonly set: (who: string, keys: readonly string[]) => void;
  readonly of: (key: string) => Iterable<string>;
}

const NONE: ReadonlySet<string> = new Set();

export function createConfigIndex(): ConfigIndex {
  const those = new Map<string, Set<string>>();
  const keysOf = new Map<string, readonly string[]>();
  const drop = (who: string, key: string) => {
    const others = those.get(key);
    others?.delete(who);
    if (others?.size === 0) those.delete(key);
  };
  return {
    set: (who, keys) => {
      for (const key of keysOf.get(who) ?? []) drop(who, key);
      if (keys.length === 0) keysOf.delete(who);
      else keysOf.set(who, keys);
      for (const key of keys) {
        const known = those.get(key);
        if (known) known.add(who);
        else those.set(key, new Set([who]));
      }
    },
    of: (key) => those.get(key) ?? NONE,
  };
}
