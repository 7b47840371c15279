// Which node is at the other end of a stream, by the certificate it showed.
import { X509Certificate } from 'node:crypto';
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js';
import { keyHashOf } from '../fleet/node-record.ts';
import type { Authority } from '../identity/authority.ts';

export interface Peer {
  readonly nodeName: string;
  readonly keyHash: string;
}

const SUBJECT = /^CN=system:node:(.+)$/m;

/** A string says why the peer is nobody. The library shows no certificate that the CA did not sign. */
export function peerOfCall(context: AuthContext | null, authority: Authority): Peer | string {
  const raw = context?.sslPeerCertificate?.raw;
  return raw
    ? peerOf(new X509Certificate(raw), authority)
    : 'a client certificate of this plane is needed: join first (fleetset join)';
}

export function peerOf(certificate: X509Certificate, authority: Authority): Peer | string {
  if (!authority.hasSigned(certificate))
    return "the client certificate is not one of this plane's: it was joined to another plane, or is out of date";
  const nodeName = SUBJECT.exec(certificate.subject)?.[1];
  if (!nodeName || !/^O=system:nodes$/m.test(certificate.subject))
    return 'the client certificate is not that of a node';
  return { nodeName, keyHash: keyHashOf(certificate.publicKey.export({ type: 'spki', format: 'der' })) };
}
