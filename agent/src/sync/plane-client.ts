// The agent's end of the wire: the only file that dials the plane.
import { desiredBytesOf } from '@fleetset/proto/desired-bytes';
import {
  type CarryRequest,
  type CarryResponse,
  type JoinRequest,
  type JoinResponse,
  NodeServiceClient,
  type SyncRequest,
  SyncResponse,
  TunnelServiceClient,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { type ClientDuplexStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { NodeIdentity } from '../identity/identity-files.ts';

/** The name in the plane's certificate, whatever address it is dialled under. */
const SERVER_NAME = 'plane.fleetset.internal';
const JOIN_TIMEOUT_MS = 20_000;

const CHANNEL_OPTIONS = {
  'grpc.ssl_target_name_override': SERVER_NAME,
  'grpc.default_authority': SERVER_NAME,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.enable_retries': 0,
};

export class PlaneError extends Error {
  /** A gRPC status. */
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const asPlaneError = (error: ServiceError): PlaneError =>
  new PlaneError(error.code, error.details || error.message);

export function callJoin(
  address: string,
  caCertificate: string,
  request: JoinRequest,
): Promise<JoinResponse> {
  const client = new NodeServiceClient(
    address,
    credentials.createSsl(Buffer.from(caCertificate)),
    CHANNEL_OPTIONS,
  );
  return new Promise<JoinResponse>((resolve, reject) => {
    client.join(request, new Metadata(), { deadline: Date.now() + JOIN_TIMEOUT_MS }, (error, response) =>
      error ? reject(asPlaneError(error)) : resolve(response),
    );
  }).finally(() => client.close());
}

/** What the plane said; of a desired state the bytes too, which may say more than this version reads. */
export interface Heard extends SyncResponse {
  readonly desiredBytes?: Uint8Array;
}
export type SyncStream = ClientDuplexStream<SyncRequest, Heard>;
export type CarryStream = ClientDuplexStream<CarryRequest, CarryResponse>;

export interface PlaneClient {
  readonly sync: () => SyncStream;
  readonly carry: () => CarryStream;
  readonly close: () => void;
}

const { path, requestSerialize } = NodeServiceClient.service.sync;

/** Of one message's bytes. */
export function hear(bytes: Buffer): Heard {
  const response = SyncResponse.decode(bytes);
  const desiredBytes = response.message?.$case === 'desired' ? desiredBytesOf(bytes) : undefined;
  return desiredBytes ? { ...response, desiredBytes } : response;
}

export function createPlaneClient({
  planeAddress,
  key,
  certificate,
  caCertificate,
}: NodeIdentity): PlaneClient {
  const secure = credentials.createSsl(
    Buffer.from(caCertificate),
    Buffer.from(key),
    Buffer.from(certificate),
  );
  const node = new NodeServiceClient(planeAddress, secure, CHANNEL_OPTIONS);
  let tunnels: TunnelServiceClient | undefined;
  return {
    sync: () => node.makeBidiStreamRequest(path, requestSerialize, hear),
    carry: () => {
      tunnels ??= new TunnelServiceClient(planeAddress, secure, {
        ...CHANNEL_OPTIONS,
        // The same connection as the sync stream.
        channelOverride: node.getChannel(),
      });
      return tunnels.carry();
    },
    close: () => node.close(),
  };
}

export const isRefusal = (code: number): boolean =>
  code === status.PERMISSION_DENIED ||
  code === status.UNAUTHENTICATED ||
  code === status.FAILED_PRECONDITION ||
  code === status.ALREADY_EXISTS;

export const errorOf = (error: unknown): PlaneError =>
  error instanceof PlaneError ? error : asPlaneError(error as ServiceError);
