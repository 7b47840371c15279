// The port that agents dial: TLS for everybody, and then one of two ways. Nodes of the fleet may send what a node has to
// say; whoever else comes, to join or with a certificate that is not good, may send no more than joining takes.
import { X509Certificate } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import { hostPort } from '../host-port.ts';
import type { Authority, KeyAndCertificate } from '../identity/authority.ts';
import { type Peer, peerOf } from './peer-identity.ts';

export interface AgentListenerParts {
  readonly authority: Authority;
  readonly identity: KeyAndCertificate;
  /** It is one of the fleet, with the key it joined with. */
  readonly isMember: (peer: Peer) => boolean;
  readonly onMember: (socket: TLSSocket) => void;
  readonly onStranger: (socket: TLSSocket) => void;
  readonly handshakeWithinMs?: number;
}

export interface AgentListener {
  readonly listen: (host: string, port: number) => Promise<number>;
  /** No new connections; those that are there are their servers'. */
  readonly close: () => void;
}

/** The address that agents are to dial is in use, or is not this machine's. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

const HANDSHAKE_WITHIN_MS = 20_000;

export function createAgentListener(parts: AgentListenerParts): AgentListener {
  const { authority, identity } = parts;
  const server = createServer(
    {
      // With the CA behind it, so that a joining machine can compare the CA with the hash it was given.
      cert: identity.certificate + authority.caCertificate,
      key: identity.key,
      ca: authority.caCertificate,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      handshakeTimeout: parts.handshakeWithinMs ?? HANDSHAKE_WITHIN_MS,
    },
    (socket) => {
      socket.on('error', () => {});
      if (isMember(parts, socket)) parts.onMember(socket);
      else parts.onStranger(socket);
    },
  );
  // One that says nothing within the time is only told of here: its socket is ours to end.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', (error) => {
          const address = hostPort(host, port);
          reject(
            new CannotListen(`agents cannot be listened for at ${address}: ${error.message}`, {
              cause: error,
            }),
          );
        });
        server.listen(port, host, () => {
          const address = server.address();
          resolve(typeof address === 'object' && address ? address.port : port);
        });
      }),
    close: () => void server.close(),
  };
}

function isMember({ authority, isMember: isOfFleet }: AgentListenerParts, socket: TLSSocket): boolean {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  const peer = certificate && peerOf(new X509Certificate(certificate.raw), authority);
  return peer !== undefined && typeof peer !== 'string' && isOfFleet(peer);
}
