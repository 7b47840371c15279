// What is made once from each object, and kept as long as that is.

export function remembered<K extends object, T>(cache: WeakMap<K, T>, key: K, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  return made;
}
