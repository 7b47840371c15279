// Which objects of a kind a request is about: its namespace, its label selector and its field selector.
import { type FieldTerm, matchesFields, parseFieldSelector } from '@fleetset/scheduler-core/field-selector';
import {
  matchesRequirements,
  parseSelector,
  type Requirement,
} from '@fleetset/scheduler-core/label-selector';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import { badRequest } from './api-error.ts';

export interface Selection {
  readonly matches: (object: KubeObject) => boolean;
  /** No selector narrows it: counts of what remains can be told. */
  readonly whole: boolean;
}

export function readSelection(kind: Kind, namespace: string | undefined, query: URLSearchParams): Selection {
  const labels = readLabels(query.get('labelSelector') ?? '');
  const fields = readFields(kind, query.get('fieldSelector') ?? '');
  return {
    whole: labels.length === 0 && fields.length === 0,
    matches: (object) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      matchesRequirements(labels, object.metadata.labels ?? {}) &&
      matchesFields(fields, (field) => fieldOf(kind, object, field)),
  };
}

function readLabels(text: string): Requirement[] {
  const parsed = parseSelector(text);
  if (typeof parsed === 'string') throw badRequest(parsed);
  return parsed;
}

function readFields(kind: Kind, text: string): FieldTerm[] {
  const parsed = parseFieldSelector(text);
  if (typeof parsed === 'string') throw badRequest(parsed);
  for (const { field } of parsed)
    if (field !== 'metadata.name' && field !== 'metadata.namespace' && !readerOf(kind, field))
      throw badRequest(`field label not supported: ${field}`);
  return parsed;
}

function fieldOf(kind: Kind, object: KubeObject, field: string): string {
  if (field === 'metadata.name') return object.metadata.name ?? '';
  if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
  return readerOf(kind, field)?.(object) ?? '';
}

/** A field may be asked for that is called like what every object inherits. */
const readerOf = ({ fields = {} }: Kind, field: string) =>
  Object.hasOwn(fields, field) ? fields[field] : undefined;
