// A plane that does what a test says: a real gRPC server with TLS, whose other end is the agent's own client.
import { randomInt, X509Certificate } from 'node:crypto';
import {
  type CarryRequest,
  type CarryResponse,
  type Hello,
  type JoinRequest,
  type JoinResponse,
  NodeServiceService,
  type SyncRequest,
  SyncResponse,
  TunnelServiceService,
} from '@fleetset/proto/gen/fleetset/v1/node';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
  type status,
} from '@grpc/grpc-js';
import type { NodeIdentity } from '../src/identity/identity-files.ts';
import { createAuthority, nodeSubject, type TestAuthority } from './certificates.ts';
import { until } from './wait-until.ts';

type Told = NonNullable<SyncResponse['message']>;
type Said = NonNullable<SyncRequest['message']>;
type SaidOf<Case extends Said['$case']> = Extract<Said, { $case: Case }>['value'];

/** One stream of an agent. */
export interface PlaneSession {
  readonly nodeName: string;
  readonly hello: Hello;
  /** Everything it said after its hello. */
  readonly said: readonly Said[];
  readonly all: <Case extends Said['$case']>(kind: Case) => readonly SaidOf<Case>[];
  /** Waits for the next message of the kind that was not taken yet. */
  readonly next: <Case extends Said['$case']>(kind: Case) => Promise<SaidOf<Case>>;
  readonly send: (message: Told) => void;
  /** Bytes as they are: for messages that this version does not know. */
  readonly sendRaw: (bytes: Buffer) => void;
  readonly welcome: (heartbeatMs?: number) => void;
  readonly end: (code: status, details: string) => void;
  readonly ended: () => boolean;
}

export interface Tunnel {
  readonly frames: readonly NonNullable<CarryRequest['frame']>[];
  readonly text: () => string;
  readonly ended: () => boolean;
  readonly send: (frame: NonNullable<CarryResponse['frame']>) => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly cancel: () => void;
}

export interface ScriptedPlane {
  readonly authority: TestAuthority;
  /** HOST:PORT. */
  readonly address: () => string;
  readonly identity: (nodeName: string) => NodeIdentity;
  readonly sessions: readonly PlaneSession[];
  /** The next stream that was not taken yet and has not ended, when its hello has come. */
  readonly nextSession: () => Promise<PlaneSession>;
  readonly tunnels: readonly Tunnel[];
  /** Answers to Join, or throws. */
  readonly answerJoin: (answer: (request: JoinRequest) => JoinResponse | Promise<JoinResponse>) => void;
  /** Ends everything; the address answers no more. */
  readonly goDown: () => Promise<void>;
  /** On the same address. */
  readonly comeUp: () => Promise<void>;
}

const HOST = '127.0.0.1';
export const SERVER_NAME = 'plane.fleetset.internal';

/** What Sync answers may be bytes: see sendRaw. */
const RAW_SYNC = {
  ...NodeServiceService,
  sync: {
    ...NodeServiceService.sync,
    responseSerialize: (value: SyncResponse | Buffer): Buffer =>
      Buffer.isBuffer(value) ? value : Buffer.from(SyncResponse.encode(value).finish()),
  },
};

export async function openScriptedPlane(
  options: { readonly authority?: TestAuthority; readonly clientCertificates?: boolean } = {},
): Promise<ScriptedPlane> {
  const authority = options.authority ?? createAuthority();
  const own = authority.issue({ commonName: SERVER_NAME, dnsNames: [SERVER_NAME] });
  const sessions: PlaneSession[] = [];
  const tunnels: Tunnel[] = [];
  let taken = 0;
  let joinAnswer: (request: JoinRequest) => JoinResponse | Promise<JoinResponse> = () => {
    throw refusal(12, 'the test did not say how to answer Join');
  };
  let port = 0;
  let server: Server | undefined;

  const comeUp = async () => {
    server = new Server();
    server.addService(RAW_SYNC as typeof NodeServiceService, {
      join: (
        call: { readonly request: JoinRequest },
        callback: (error: Partial<ServiceError> | null, answer?: JoinResponse) => void,
      ) => {
        Promise.resolve(call.request)
          .then(joinAnswer)
          .then(
            (answer) => callback(null, answer),
            (error: Partial<ServiceError>) => callback(error),
          );
      },
      sync: (call: ServerDuplexStream<SyncRequest, SyncResponse>) =>
        serveSync(call, (session) => sessions.push(session)),
    });
    server.addService(TunnelServiceService, {
      carry: (call: ServerDuplexStream<CarryRequest, CarryResponse>) => tunnels.push(serveCarry(call)),
    });
    const made = server;
    const bindTo = (to: number) => bind(made, to, authority, own, options.clientCertificates ?? true);
    port = await (port === 0 ? bindUnlent(bindTo) : bindTo(port));
  };
  await comeUp();
  return {
    authority,
    address: () => `${HOST}:${port}`,
    identity: (nodeName) => ({
      nodeName,
      planeAddress: `${HOST}:${port}`,
      caCertificate: authority.certificate,
      ...authority.issue(nodeSubject(nodeName)),
    }),
    sessions,
    tunnels,
    nextSession: async () => {
      const isNext = (one: PlaneSession, index: number) => index >= taken && !one.ended();
      const session = await until('an agent says hello', () => sessions.find(isNext));
      taken = sessions.indexOf(session) + 1;
      return session;
    },
    answerJoin: (answer) => {
      joinAnswer = answer;
    },
    goDown: async () => server?.forceShutdown(),
    comeUp,
  };
}

/** Of those that the kernel lends to nobody by itself: still free when the plane comes up again. */
async function bindUnlent(bindTo: (port: number) => Promise<number>): Promise<number> {
  for (;;) {
    const bound = await bindTo(randomInt(10_000, 28_000)).catch((error: Error) => {
      if (!error.message.includes('EADDRINUSE')) throw error;
    });
    if (bound) return bound;
  }
}

const bind = (
  server: Server,
  port: number,
  authority: TestAuthority,
  own: { readonly key: string; readonly certificate: string },
  clientCertificates: boolean,
): Promise<number> =>
  new Promise((resolve, reject) => {
    const credentials = ServerCredentials.createSsl(
      Buffer.from(authority.certificate),
      // With the CA behind it, as the plane shows it.
      [
        {
          private_key: Buffer.from(own.key),
          cert_chain: Buffer.from(own.certificate + authority.certificate),
        },
      ],
      clientCertificates,
    );
    server.bindAsync(`${HOST}:${port}`, credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });

export const refusal = (code: status, details: string): Partial<ServiceError> => ({ code, details });

function serveSync(
  call: ServerDuplexStream<SyncRequest, SyncResponse>,
  onHello: (session: PlaneSession) => void,
): void {
  const raw = call.getAuthContext()?.sslPeerCertificate?.raw;
  const nodeName = raw ? (/CN=system:node:(.+)/.exec(new X509Certificate(raw).subject)?.[1] ?? '') : '';
  const said: Said[] = [];
  const taken = new Map<Said['$case'], number>();
  let ended = false;
  let known = false;
  const all = <Case extends Said['$case']>(kind: Case) =>
    said.filter((message) => message.$case === kind).map((message) => message.value as SaidOf<Case>);
  const session = (hello: Hello): PlaneSession => ({
    nodeName,
    hello,
    said,
    all,
    next: async <Case extends Said['$case']>(kind: Case) => {
      const index = taken.get(kind) ?? 0;
      taken.set(kind, index + 1);
      await until(`the agent says ${kind}`, () => all(kind).length > index);
      return all(kind)[index] as unknown as SaidOf<Case>;
    },
    send: (message) => void call.write({ message }),
    sendRaw: (bytes) => void call.write(bytes as unknown as SyncResponse),
    welcome: (heartbeatMs = 60_000) =>
      void call.write({
        message: { $case: 'welcome', value: { protocol: 1, planeVersion: 'test', heartbeatMs } },
      }),
    end: (code, details) => {
      call.emit('error', { code, details });
    },
    ended: () => ended,
  });
  call.on('data', ({ message }: SyncRequest) => {
    if (!message) return;
    if (known) said.push(message);
    else if (message.$case === 'hello') {
      known = true;
      onHello(session(message.value));
    }
  });
  const over = () => {
    ended = true;
  };
  call.on('end', () => {
    over();
    call.end();
  });
  call.on('cancelled', over);
  call.on('error', over);
}

function serveCarry(call: ServerDuplexStream<CarryRequest, CarryResponse>): Tunnel {
  const frames: NonNullable<CarryRequest['frame']>[] = [];
  let ended = false;
  const over = () => {
    ended = true;
  };
  call.on('data', ({ frame }: CarryRequest) => {
    if (frame) frames.push(frame);
  });
  call.on('end', () => {
    over();
    call.end();
  });
  call.on('cancelled', over);
  call.on('error', over);
  return {
    frames,
    text: () =>
      Buffer.concat(frames.flatMap((frame) => (frame.$case === 'data' ? [frame.value] : []))).toString(
        'utf8',
      ),
    ended: () => ended,
    send: (frame) => void call.write({ frame }),
    pause: () => call.pause(),
    resume: () => call.resume(),
    cancel: () => {
      call.emit('error', { code: 1, details: 'the client left' });
    },
  };
}
