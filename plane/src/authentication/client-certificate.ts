// A client certificate that this plane's CA signed: CN is the user, O are the groups.
import type { TLSSocket } from 'node:tls';
import { unauthorized } from '../api/api-error.ts';
import { keyHashOf, nodeRecord } from '../fleet/node-record.ts';
import type { Store } from '../store/store.ts';
import { nodeOfUser, type User } from './user.ts';

interface Shown {
  readonly user: User;
  /** Of a node's certificate: the hash of its key. */
  readonly keyHash?: string;
}

/** Of each connection, read once: a connection has one certificate for all of its requests. */
const shownOn = new WeakMap<TLSSocket, Shown>();

/** Undefined without a certificate; one that is not good is refused. */
export function certificateUser(socket: TLSSocket, store: Store): User | undefined {
  const shown = shownOn.get(socket) ?? readCertificate(socket);
  if (!shown) return undefined;
  shownOn.set(socket, shown);
  // Of a node the plane remembers the key: a certificate may outlive the node's being part of the fleet.
  const node = nodeOfUser(shown.user);
  if (node !== undefined && nodeRecord(store, node)?.keyHash !== shown.keyHash) throw unauthorized();
  return shown.user;
}

function readCertificate(socket: TLSSocket): Shown | undefined {
  const certificate = socket.getPeerX509Certificate?.();
  if (!certificate) return undefined;
  if (!socket.authorized) throw unauthorized();
  const { CN, O } = certificate.toLegacyObject().subject as { CN?: string | string[]; O?: string | string[] };
  const name = Array.isArray(CN) ? CN[0] : CN;
  if (!name) throw unauthorized();
  const user = { name, groups: O === undefined ? [] : Array.isArray(O) ? O : [O] };
  if (nodeOfUser(user) === undefined) return { user };
  return { user, keyHash: keyHashOf(certificate.publicKey.export({ type: 'spki', format: 'der' })) };
}
