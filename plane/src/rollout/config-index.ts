// Which nodes were told of which ConfigMaps and Secrets: a change wakes those and no others.

export interface ConfigIndex {
  /** What the node is told of from now on. */
  readonly set: (nodeName: string, keys: readonly string[]) => void;
  readonly nodesOf: (key: string) => Iterable<string>;
}

const NONE: ReadonlySet<string> = new Set();

export function createConfigIndex(): ConfigIndex {
  const nodes = new Map<string, Set<string>>();
  const keysOf = new Map<string, readonly string[]>();
  const drop = (nodeName: string, key: string) => {
    const others = nodes.get(key);
    others?.delete(nodeName);
    if (others?.size === 0) nodes.delete(key);
  };
  return {
    set: (nodeName, keys) => {
      for (const key of keysOf.get(nodeName) ?? []) drop(nodeName, key);
      if (keys.length === 0) keysOf.delete(nodeName);
      else keysOf.set(nodeName, keys);
      for (const key of keys) {
        const known = nodes.get(key);
        if (known) known.add(nodeName);
        else nodes.set(key, new Set([nodeName]));
      }
    },
    nodesOf: (key) => nodes.get(key) ?? NONE,
  };
}
