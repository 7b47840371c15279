// Server-side tables: what `kubectl get` prints, made from the columns of a kind.
import { apiVersionOf, type Kind, type KubeObject } from '../kinds/kind.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export const includeObject = (query: URLSearchParams): IncludeObject => {
  const asked = query.get('includeObject');
  return asked === 'None' || asked === 'Object' ? asked : 'Metadata';
};

export function columnDefinitions(kind: Kind): object[] {
  return kind.columns.map(({ name, type, format = '', description, priority = 0 }) => ({
    name,
    type,
    format,
    description,
    priority,
  }));
}

export function tableRow(kind: Kind, object: KubeObject, include: IncludeObject, now: number): object {
  const phase = (object.status as { phase?: string } | undefined)?.phase;
  const finished = kind.kind === 'Pod' && (phase === 'Succeeded' || phase === 'Failed');
  return {
    cells: kind.columns.map(({ cell }) => cell(object, now)),
    ...(finished ? { conditions: [{ type: 'Completed', status: 'True', reason: phase }] } : {}),
    ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialObject(object) }),
  };
}

/** `first` carries the column definitions; in a watch the later ones need none. */
export const table = (kind: Kind, rows: readonly object[], metadata: object, first = true): object => ({
  ...tableHead(kind, metadata, first),
  rows,
});

export const tableHead = (kind: Kind, metadata: object, first = true) => ({
  kind: 'Table',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
  columnDefinitions: first ? columnDefinitions(kind) : null,
});

export const partialObject = ({ metadata }: KubeObject): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
});

export const listHead = (kind: Kind, metadata: object) => ({
  kind: `${kind.kind}List`,
  apiVersion: apiVersionOf(kind),
  metadata,
});

export const partialListHead = (metadata: object) => ({
  kind: 'PartialObjectMetadataList',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
});
