// Who a request comes from: the client certificate that this plane's CA signed, or nobody.
import type { TLSSocket } from 'node:tls';
import type { Kind, Verb } from '../kinds/kind.ts';
import { forbiddenRequest, unauthorized } from './api-error.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

export const ADMIN_GROUP = 'system:masters';
export const NODES_GROUP = 'system:nodes';

/** Undefined without a certificate; a certificate that is not good is refused. */
export function userOf(socket: TLSSocket): User | undefined {
  const certificate = socket.getPeerCertificate();
  if (!certificate || Object.keys(certificate).length === 0) return undefined;
  if (!socket.authorized) throw unauthorized();
  const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] };
  const name = Array.isArray(CN) ? CN[0] : CN;
  if (!name) throw unauthorized();
  return { name, groups: O === undefined ? [] : Array.isArray(O) ? O : [O] };
}

/** Administrators may do everything, others nothing. */
export function requireAllowed(
  user: User | undefined,
  verb: Verb | string,
  { group, plural }: Pick<Kind, 'group' | 'plural'>,
  namespace: string | undefined,
  name: string | undefined,
): void {
  if (!user) throw unauthorized();
  if (user.groups.includes(ADMIN_GROUP)) return;
  const resource = group === '' ? plural : `${plural}.${group}`;
  const what = name ? `${resource} ${JSON.stringify(name)}` : resource;
  const where = namespace ? ` in the namespace ${JSON.stringify(namespace)}` : ' at the cluster scope';
  throw forbiddenRequest(
    `${what} is forbidden: User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(plural)} in API group ${JSON.stringify(group)}${where}`,
    { ...(name ? { name } : {}), ...(group === '' ? {} : { group }), kind: plural },
  );
}
