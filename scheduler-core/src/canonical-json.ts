// One text for one value: keys sorted, nothing that JSON would drop. What hashes and comparisons are made of.

export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`);
  return `{${entries.join(',')}}`;
}

/** Whether their canonical texts are the same; no text is made for it. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'string' && typeof b === 'string') return false;
  if (!isComposite(a) || !isComposite(b))
    return !isComposite(a) && !isComposite(b) && textOf(a) === textOf(b);
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item ?? null, b[index] ?? null))
    );
  for (const key of Object.keys(a)) {
    const before = a[key];
    if (before === undefined) continue;
    const now = own(b, key);
    if (now === undefined || !sameJson(before, now)) return false;
  }
  for (const key of Object.keys(b)) if (b[key] !== undefined && own(a, key) === undefined) return false;
  return true;
}

type Composite = { readonly [key: string]: unknown };

const isComposite = (value: unknown): value is Composite => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string => JSON.stringify(value) ?? 'null';
/** A key may be called like what every object inherits. */
const own = (object: Composite, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;
