// What must hold before an object is made or deleted: a namespace that is there, and what the client expects.
import type { Kind, KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import { ApiError, conflict, forbiddenRequest } from './api-error.ts';
import type { DeleteOptions } from './object-options.ts';

export function requireNamespace(store: Store, namespace: string, object: KubeObject): void {
  const found = store.get('core/namespaces', namespace)?.value as KubeObject | undefined;
  if (!found)
    throw new ApiError(404, 'NotFound', `namespaces "${namespace}" not found`, {
      name: namespace,
      kind: 'namespaces',
    });
  if (!found.metadata.deletionTimestamp) return;
  const { name = '' } = object.metadata;
  throw forbiddenRequest(
    `${name} is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    {
      name,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  );
}

export function requirePreconditions(
  kind: Kind,
  name: string,
  current: KubeObject,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid && uid !== current.metadata.uid)
    throw conflict(
      kind,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${current.metadata.resourceVersion}`,
    );
}
