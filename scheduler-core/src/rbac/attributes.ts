// What a request is about, as authorization sees it: a verb on a resource, or on a path.
import type { FieldTerm } from '../field-selector.ts';

export interface ResourceAccess {
  readonly verb: string;
  readonly group: string;
  /** The plural. */
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  /** Absent: all of them, or one that has no name yet. */
  readonly name?: string;
  /** Of a list or watch: which objects it is narrowed to. */
  readonly fields?: readonly FieldTerm[];
}

export interface PathAccess {
  readonly verb: string;
  readonly path: string;
}

export type Access = ResourceAccess | PathAccess;

export const isPathAccess = (access: Access): access is PathAccess => 'path' in access;

export const fullResource = ({ resource, subresource }: ResourceAccess): string =>
  subresource ? `${resource}/${subresource}` : resource;

export interface Verdict {
  readonly allowed: boolean;
  /** Why it is allowed, or what stood in the way of finding out; often empty. */
  readonly reason: string;
}
