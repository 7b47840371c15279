// The paths of the published description: enough operations for a client to know what a kind takes.
import { apiVersionOf, type Kind, type Verb } from '../kinds/kind.ts';
import { gvkOf, type JsonSchema } from './definitions.ts';

export const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

export interface DescribedOperation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly id: string;
  readonly action: string;
  readonly gvk: JsonSchema;
  /** Query parameters. */
  readonly query: readonly string[];
  readonly consumes: readonly string[];
}

export interface DescribedPath {
  readonly path: string;
  readonly pathParameters: readonly string[];
  readonly operations: readonly DescribedOperation[];
}

const WRITE_QUERY = ['dryRun', 'fieldManager', 'fieldValidation'];

export function pathsOf(kind: Kind): DescribedPath[] {
  const root = kind.group === '' ? '/api/v1' : `/apis/${apiVersionOf(kind)}`;
  const base = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`;
  const scope = kind.namespaced ? ['namespace'] : [];
  const collection = operations(kind, [
    ['list', 'get', 'list', []],
    ['create', 'post', 'post', WRITE_QUERY],
  ]);
  const single = operations(kind, [
    ['get', 'get', 'get', []],
    ['update', 'put', 'put', WRITE_QUERY],
    ['patch', 'patch', 'patch', [...WRITE_QUERY, 'force']],
    ['delete', 'delete', 'delete', ['dryRun']],
  ]);
  return [
    { path: base, pathParameters: scope, operations: collection },
    { path: `${base}/{name}`, pathParameters: [...scope, 'name'], operations: single },
  ];
}

type Row = readonly [
  verb: Verb,
  method: DescribedOperation['method'],
  action: string,
  query: readonly string[],
];

function operations(kind: Kind, rows: readonly Row[]): DescribedOperation[] {
  return rows
    .filter(([verb]) => kind.verbs.includes(verb))
    .map(([verb, method, action, query]) => ({
      method,
      id: `${verb}${kind.kind}`,
      action,
      gvk: gvkOf(kind),
      query,
      consumes: method === 'patch' ? PATCH_TYPES : ['*/*'],
    }));
}
