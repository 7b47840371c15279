// Sets of fields, as managedFields lists them (FieldsV1): a tree of path elements. An element is "f:" and a field or
// a key of a map, "k:" and the keys of a list's item in JSON, or "v:" and an item that is a plain value, in JSON.
import { isRecord } from '../schema/decode.ts';

export interface FieldSet {
  /** The field itself is in the set, and not only something beneath it. */
  readonly own: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const NO_FIELDS: FieldSet = { own: false, children: new Map() };
export const LEAF: FieldSet = { own: true, children: new Map() };

export const isEmpty = ({ own, children }: FieldSet): boolean => !own && children.size === 0;
export const childOf = ({ children }: FieldSet, element: string): FieldSet =>
  children.get(element) ?? NO_FIELDS;

/** Children that hold nothing are left out, so that an empty set is always NO_FIELDS in shape. */
export function fieldSet(own: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { own, children: new Map([...children].filter(([, child]) => !isEmpty(child))) };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  const elements = new Set([...a.children.keys(), ...b.children.keys()]);
  return fieldSet(
    a.own || b.own,
    [...elements].map((element) => [element, union(childOf(a, element), childOf(b, element))]),
  );
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return fieldSet(
    a.own && b.own,
    [...a.children].map(([element, child]) => [element, intersection(child, childOf(b, element))]),
  );
}

/** What is in `a` and not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return fieldSet(
    a.own && !b.own,
    [...a.children].map(([element, child]) => [element, difference(child, childOf(b, element))]),
  );
}

/** As `difference`, and what lies beneath a field of `roots` goes with it. */
export function withoutTrees(set: FieldSet, roots: FieldSet): FieldSet {
  if (roots.own) return NO_FIELDS;
  return fieldSet(
    set.own,
    [...set.children].map(([element, child]) => [element, withoutTrees(child, childOf(roots, element))]),
  );
}

export const sameFields = (a: FieldSet, b: FieldSet): boolean =>
  isEmpty(difference(a, b)) && isEmpty(difference(b, a));

/** Every field of the set, by its path, in the order of the elements' names. */
export function* pathsOf(set: FieldSet, above: readonly string[] = []): Iterable<readonly string[]> {
  if (set.own) yield above;
  for (const [element, child] of sorted(set)) yield* pathsOf(child, [...above, element]);
}

const sorted = ({ children }: FieldSet) => [...children].sort(([a], [b]) => (a < b ? -1 : 1));

/** As people read it: .spec.template.spec.containers[name="main"].image */
export const formatFieldPath = (path: readonly string[]): string =>
  path
    .map((element) => {
      const text = element.slice(2);
      if (element.startsWith('f:')) return `.${text}`;
      return element.startsWith('v:') ? `[=${text}]` : `[${formatKeys(text)}]`;
    })
    .join('');

const formatKeys = (json: string): string =>
  Object.entries(JSON.parse(json) as object)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(',');

type FieldsV1 = { readonly [element: string]: FieldsV1 };

/** Children in the order of their names; "." stands for a field that has some and is in the set itself. */
export function toFieldsV1(set: FieldSet): FieldsV1 {
  const children = sorted(set).map(([element, child]) => [element, toFieldsV1(child)] as const);
  return Object.fromEntries(set.own && children.length > 0 ? [['.', {}], ...children] : children);
}

/** Objects nest less deeply; what comes from outside must not exhaust the stack. */
const DEPTH_LIMIT = 100;

/** Undefined when it is no FieldsV1. */
export function fromFieldsV1(json: unknown, depth = 0): FieldSet | undefined {
  if (!isRecord(json) || depth > DEPTH_LIMIT) return undefined;
  const children: [string, FieldSet][] = [];
  for (const [element, value] of Object.entries(json)) {
    if (element === '.') continue;
    const child = isElement(element) ? fromFieldsV1(value, depth + 1) : undefined;
    if (!child) return undefined;
    children.push([element, child]);
  }
  const own = depth > 0 && (children.length === 0 || Object.hasOwn(json, '.'));
  return fieldSet(own, children);
}

/** "i:" (by position) is never written, and read as any other. */
function isElement(element: string): boolean {
  if (/^[fi]:/.test(element)) return true;
  if (!/^[kv]:/.test(element)) return false;
  try {
    const value = JSON.parse(element.slice(2));
    return element.startsWith('v:') || isRecord(value);
  } catch {
    return false;
  }
}
