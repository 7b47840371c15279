// What a write must not do though its writer may write the kind: hand out more than he has, or write another node's.
import { forbiddenRequest } from '../api/api-error.ts';
import { nodeOfUser, type User } from '../authentication/user.ts';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import type { Authorizer } from './authorizer.ts';
import { preventEscalation } from './prevent-escalation.ts';

export interface AdmittedWrite {
  readonly kind: Kind;
  readonly object: KubeObject;
  /** Absent when the object is new. */
  readonly old: KubeObject | undefined;
  /** It was asked for by a POST. Another write that makes an object needs leave to create it, too. */
  readonly isCreate: boolean;
}

/** Throws 403. */
export function admitWrite(authorizer: Authorizer, user: User, write: AdmittedWrite): void {
  const { kind, object, old, isCreate } = write;
  const { name = '', namespace } = object.metadata;
  if (!old && !isCreate)
    authorizer.require(user, {
      verb: 'create',
      group: kind.group,
      resource: kind.plural,
      ...(namespace ? { namespace } : {}),
    });
  const node = nodeOfUser(user);
  if (node !== undefined && kind.kind === 'Lease' && name !== node)
    throw forbiddenRequest(
      `leases.${kind.group} ${JSON.stringify(name)} is forbidden: node ${JSON.stringify(node)} can only access node lease with the same name as the requesting node`,
      { name, group: kind.group, kind: kind.plural },
    );
  preventEscalation(authorizer, user, kind, object, old);
}
