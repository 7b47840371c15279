// An agent without an engine: it joins with a token, opens a stream over mutual TLS and says exactly what the test
// says. What it hears is kept in order.
import { createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CarryRequest,
  type CarryResponse,
  type Held,
  type JoinRequest,
  type JoinResponse,
  type NodeDesired,
  NodeServiceClient,
  type OpenTunnel,
  SyncRequest,
  SyncResponse,
  TunnelServiceClient,
} from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { ApiClient } from './api-client.ts';
import type { TestPlane } from './test-plane.ts';
import { PATIENCE_MS, until } from './until.ts';

const SERVER_NAME = 'plane.fleetset.internal';
const CHANNEL = {
  'grpc.ssl_target_name_override': SERVER_NAME,
  'grpc.default_authority': SERVER_NAME,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 200,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
};

export interface HollowIdentity {
  readonly nodeName: string;
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
  readonly caCertificate: string;
}

export interface HollowEnd {
  /** A gRPC status; 0 when the plane ended the stream in peace. */
  readonly code: number;
  readonly details: string;
}

/** Makes a bootstrap token as `fleetset token create` does. */
export async function createToken(api: ApiClient, fields: { [field: string]: string } = {}): Promise<string> {
  const id = randomUUID().replaceAll('-', '').slice(0, 6);
  const secret = randomUUID().replaceAll('-', '').slice(0, 16);
  await api.ok('POST', '/api/v1/namespaces/kube-system/secrets', {
    metadata: { name: `bootstrap-token-${id}` },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      ...fields,
    },
  });
  return `${id}.${secret}`;
}

export const newKey = (curve = 'P-256'): string =>
  String(
    generateKeyPairSync('ec', { namedCurve: curve }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );

export const publicDer = (key: string): Buffer =>
  createPublicKey(key).export({ type: 'spki', format: 'der' }) as Buffer;

/** The request of a machine that holds `key`. */
export const joinRequest = (token: string, nodeName: string, key: string): JoinRequest => ({
  token,
  nodeName,
  publicKey: publicDer(key),
  proof: sign('sha256', Buffer.from(`fleetset-join:${nodeName}:${token.slice(0, 6)}`), key),
});

export const caOf = (dataDir: string): string => readFileSync(join(dataDir, 'pki', 'ca.crt'), 'utf8');

/** Rejects with the gRPC error of a refusal. */
export function callJoin(
  address: string,
  caCertificate: string,
  request: JoinRequest,
): Promise<JoinResponse> {
  const client = new NodeServiceClient(address, credentials.createSsl(Buffer.from(caCertificate)), CHANNEL);
  return new Promise<JoinResponse>((resolve, reject) => {
    client.join(request, new Metadata(), { deadline: Date.now() + PATIENCE_MS }, (error, response) =>
      error ? reject(error) : resolve(response),
    );
  }).finally(() => client.close());
}

export type Joinable = Pick<TestPlane, 'dataDir' | 'agentAddress' | 'api'>;

export async function joinPlane(plane: Joinable, nodeName: string, key = newKey()): Promise<HollowIdentity> {
  const caCertificate = caOf(plane.dataDir);
  const request = joinRequest(await createToken(plane.api), nodeName, key);
  const { certificate } = await callJoin(plane.agentAddress, caCertificate, request);
  return { nodeName, key, certificate, caCertificate };
}

type Message = NonNullable<SyncRequest['message']>;
type Heard = NonNullable<SyncResponse['message']>;

export interface HollowStream {
  /** Everything heard, in order. */
  readonly heard: readonly Heard[];
  /** All desired states heard, in order. */
  readonly desired: () => NodeDesired[];
  /** The first message of a kind, of those that fit, heard or to come. */
  readonly hear: <C extends Heard['$case']>(
    which: C,
    fits?: (value: Extract<Heard, { $case: C }>['value']) => boolean,
  ) => Promise<Extract<Heard, { $case: C }>['value']>;
  readonly say: (message: Message) => void;
  /** Bytes as they are, for messages that this version of the wire does not have. */
  readonly sayBytes: (bytes: Uint8Array) => void;
  readonly ended: () => HollowEnd | undefined;
  readonly untilEnd: () => Promise<HollowEnd>;
  readonly pause: () => void;
  readonly resume: () => void;
  /** Says goodbye in the way a clean stop does. */
  readonly finish: () => void;
  /** Gone at once, connection and all. */
  readonly close: () => void;
  readonly carry: () => ClientDuplexStream<CarryRequest, CarryResponse>;
}

export interface HelloOptions {
  readonly machineId?: string;
  readonly instanceId?: string;
  readonly protocol?: number;
  readonly accepted?: { readonly epoch: number; readonly counter: number };
  readonly held?: Held;
}

const secureCredentials = (identity: HollowIdentity): ChannelCredentials =>
  credentials.createSsl(
    Buffer.from(identity.caCertificate),
    Buffer.from(identity.key),
    Buffer.from(identity.certificate),
  );

/** A stream on which nothing has been said. */
export function openStream(address: string, secure: ChannelCredentials): HollowStream {
  const client = new Client(address, secure, CHANNEL);
  const call = client.makeBidiStreamRequest<Uint8Array, SyncResponse>(
    '/fleetset.v1.NodeService/Sync',
    (bytes) => Buffer.from(bytes),
    (bytes) => SyncResponse.decode(bytes),
  );
  const heard: Heard[] = [];
  let end: HollowEnd | undefined;
  call.on('data', ({ message }: SyncResponse) => {
    if (message) heard.push(message);
  });
  call.on('error', (error: ServiceError) => {
    end ??= { code: error.code, details: error.details };
  });
  call.on('end', () => {
    end ??= { code: 0, details: '' };
  });
  let tunnels: TunnelServiceClient | undefined;
  const sayBytes = (bytes: Uint8Array) => void call.write(bytes);
  return {
    heard,
    desired: () => heard.flatMap((message) => (message.$case === 'desired' ? [message.value] : [])),
    hear: (which, fits = () => true) =>
      until(`the plane says ${which}`, () => {
        const found = heard.find((message) => message.$case === which && fits(message.value as never));
        return found?.value as never;
      }),
    say: (message) => sayBytes(SyncRequest.encode({ message }).finish()),
    sayBytes,
    ended: () => end,
    untilEnd: () => until('the stream ends', () => end),
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    finish: () => call.end(),
    close: () => {
      call.cancel();
      tunnels?.close();
      client.close();
    },
    carry: () => {
      tunnels ??= new TunnelServiceClient(address, secure, CHANNEL);
      return tunnels.carry();
    },
  };
}

/** A stream that said hello. */
export function openSync(
  plane: Pick<TestPlane, 'agentAddress'>,
  identity: HollowIdentity,
  hello: HelloOptions = {},
): HollowStream {
  const stream = openStream(plane.agentAddress, secureCredentials(identity));
  stream.say({
    $case: 'hello',
    value: {
      protocol: hello.protocol ?? 1,
      agentVersion: 'hollow',
      instanceId: hello.instanceId ?? randomUUID(),
      machineId: hello.machineId ?? `machine-of-${identity.nodeName}`,
      accepted: hello.accepted,
      held: hello.held,
    },
  });
  return stream;
}

/** All that the plane said on the stream until now is heard, and what was said to it is taken in. */
export async function isAnswered(stream: HollowStream): Promise<void> {
  const answers = () => stream.heard.filter(({ $case }) => $case === 'bodies').length;
  const before = answers();
  stream.say({ $case: 'bodiesWanted', value: { hashes: [] } });
  await until('an answer', () => answers() > before);
}

export type { OpenTunnel };
