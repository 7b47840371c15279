// What a write must not do though its writer may write the kind: hand out more than he has, or write another node's; and
// what token a node must not ask for though it may ask for some of that account.
import { forbiddenRequest } from '../api/api-error.ts';
import type { BoundObject } from '../authentication/service-account-tokens.ts';
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

/** Throws 403. A node's tokens live and die with a pod of its own: one that was taken over keeps none. */
export function admitToken(user: User, account: string, bound: BoundObject | undefined): void {
  const node = nodeOfUser(user);
  if (node === undefined) return;
  const why =
    bound?.kind !== 'Pod'
      ? 'node requested token not bound to a pod'
      : bound.node?.name !== node
        ? 'node requested token bound to a pod scheduled on a different node'
        : undefined;
  if (why !== undefined)
    throw forbiddenRequest(`serviceaccounts ${JSON.stringify(account)} is forbidden: ${why}`, {
      name: account,
      kind: 'serviceaccounts',
    });
}
