// The plane's end of the wire: the only file that serves gRPC. Certificates are asked of everybody and demanded by
// each call itself, so that one port serves joining and joined machines.
import {
  type NodeServiceServer,
  NodeServiceService,
  type SyncRequest,
  type TunnelServiceServer,
  TunnelServiceService,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { experimental, Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { hostPort } from '../host-port.ts';
import type { Authority, KeyAndCertificate } from '../identity/authority.ts';
import { type JoinParts, JoinRefused, join } from './join.ts';
import { peerOf } from './peer-identity.ts';
import { endCall, serveSync } from './serve-sync.ts';
import type { SyncSessions } from './sync-sessions.ts';
import type { Tunnels } from './tunnels.ts';

const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

export interface GrpcServerParts extends JoinParts {
  readonly sessions: SyncSessions;
  readonly tunnels: Tunnels;
  readonly identity: KeyAndCertificate;
  readonly onJoin: (nodeName: string, refused?: string) => void;
  readonly onFailure: (error: unknown, what: string) => void;
}

export interface GrpcServer {
  readonly listen: (host: string, port: number) => Promise<number>;
  readonly close: () => Promise<void>;
}

const SERVICE = {
  ...NodeServiceService,
  sync: { ...NodeServiceService.sync, responseSerialize: (bytes: Buffer) => bytes },
};

export function createGrpcServer(parts: GrpcServerParts): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_LIMIT_BYTES,
    'grpc.max_send_message_length': MESSAGE_LIMIT_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const joinCall: NodeServiceServer['join'] = (call, callback) => {
    const { request } = call;
    join(parts, request).then(
      (response) => {
        parts.onJoin(request.nodeName);
        callback(null, response);
      },
      (error: unknown) => {
        const refused = error instanceof JoinRefused;
        if (refused) parts.onJoin(request.nodeName, error.message);
        else parts.onFailure(error, 'join');
        const message = refused ? error.message : 'the plane could not serve the request: see its log';
        callback({ code: refused ? error.code : status.INTERNAL, details: message });
      },
    );
  };
  const syncCall = (call: ServerDuplexStream<SyncRequest, Buffer>) => {
    const peer = peerOf(call.getAuthContext(), parts.authority);
    if (typeof peer === 'string') endCall(call, status.UNAUTHENTICATED, peer);
    else serveSync(call, peer, parts);
  };
  const tunnelService: TunnelServiceServer = {
    carry: (call) => {
      const peer = peerOf(call.getAuthContext(), parts.authority);
      if (typeof peer === 'string') endCall(call, status.UNAUTHENTICATED, peer);
      else parts.tunnels.accept(call, peer.nodeName);
    },
  };
  server.addService(SERVICE, { join: joinCall, sync: syncCall });
  server.addService(TunnelServiceService, tunnelService);
  return {
    listen: (host, port) => listen(server, hostPort(host, port), parts.authority, parts.identity),
    close: () =>
      new Promise((resolve) => {
        const force = setTimeout(() => server.forceShutdown(), 1000);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}

/** The address that agents are to dial is in use, or is not this machine's. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

function listen(
  server: Server,
  address: string,
  authority: Authority,
  identity: KeyAndCertificate,
): Promise<number> {
  const ca = { caCertificate: Buffer.from(authority.caCertificate) };
  const own = {
    // With the CA behind it, so that a joining machine can compare the CA with the hash it was given.
    certificate: Buffer.from(identity.certificate + authority.caCertificate),
    privateKey: Buffer.from(identity.key),
  };
  // The library registers itself after it asked: an answer at once would be lost.
  const certificates: experimental.CertificateProvider = {
    addCaCertificateListener: (listener) => setImmediate(listener, ca),
    addIdentityCertificateListener: (listener) => setImmediate(listener, own),
    removeCaCertificateListener: () => {},
    removeIdentityCertificateListener: () => {},
  };
  const credentials = experimental.createCertificateProviderServerCredentials(
    certificates,
    certificates,
    false,
  );
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (!error) return resolve(port);
      const why = /errors: \[(.*)\]$/.exec(error.message)?.[1] ?? error.message;
      reject(new CannotListen(`agents cannot be listened for at ${address}: ${why}`, { cause: error }));
    });
  });
}
