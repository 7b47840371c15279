// The plane's end of the wire: the only file that serves gRPC. Certificates are asked of everybody and demanded by
// each call itself, so that one port serves joining and joined machines.
import {
  type NodeServiceServer,
  NodeServiceService,
  type SyncRequest,
  type TunnelServiceServer,
  TunnelServiceService,
} from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type ChannelOptions,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import { nodeRecord } from '../fleet/node-record.ts';
import type { KeyAndCertificate } from '../identity/authority.ts';
import { createAgentListener } from './agent-listener.ts';
import { type JoinParts, JoinRefused, join } from './join.ts';
import { type Peer, peerOfCall } from './peer-identity.ts';
import { endCall, serveSync } from './serve-sync.ts';
import type { SyncSessions } from './sync-sessions.ts';
import type { Tunnels } from './tunnels.ts';

const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

const KEEPALIVE = { 'grpc.keepalive_time_ms': 20_000, 'grpc.keepalive_timeout_ms': 10_000 };

/** Of whoever is not of the fleet: joining takes a few hundred bytes and one call, and is done within seconds. */
const STRANGERS = {
  ...KEEPALIVE,
  'grpc.max_receive_message_length': 64 * 1024,
  'grpc.max_concurrent_streams': 8,
  'grpc.max_connection_idle_ms': 60_000,
  'grpc.max_connection_age_ms': 120_000,
  'grpc.max_connection_age_grace_ms': 10_000,
};

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
  const isMember = ({ nodeName, keyHash }: Peer) => nodeRecord(parts.store, nodeName)?.keyHash === keyHash;
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
    const peer = peerOfCall(call.getAuthContext(), parts.authority);
    if (typeof peer === 'string') endCall(call, status.UNAUTHENTICATED, peer);
    else serveSync(call, peer, parts);
  };
  const tunnelService: TunnelServiceServer = {
    carry: (call) => {
      const peer = peerOfCall(call.getAuthContext(), parts.authority);
      if (typeof peer === 'string') endCall(call, status.UNAUTHENTICATED, peer);
      else if (!isMember(peer))
        endCall(call, status.PERMISSION_DENIED, `node ${peer.nodeName} is not part of this fleet`);
      else parts.tunnels.accept(call, peer.nodeName);
    },
  };
  const withServices = (options: ChannelOptions): Server => {
    const server = new Server(options);
    server.addService(SERVICE, { join: joinCall, sync: syncCall });
    server.addService(TunnelServiceService, tunnelService);
    return server;
  };
  const members = withServices({
    ...KEEPALIVE,
    'grpc.max_receive_message_length': MESSAGE_LIMIT_BYTES,
    'grpc.max_send_message_length': MESSAGE_LIMIT_BYTES,
  });
  // The same calls: what they refuse they refuse to both, with the same words.
  const strangers = withServices(STRANGERS);
  // TLS is ended by the listener.
  const injectInto = (server: Server) =>
    server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection;
  const listener = createAgentListener({
    authority: parts.authority,
    identity: parts.identity,
    isMember,
    onMember: injectInto(members),
    onStranger: injectInto(strangers),
  });
  return {
    listen: listener.listen,
    close: async () => {
      listener.close();
      await Promise.all([members, strangers].map(shutDown));
    },
  };
}

function shutDown(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), 1000);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
