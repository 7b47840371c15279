// Asks a server by the standard health protocol of gRPC (grpc.health.v1), as kubelet does.
import { type Client, credentials, Metadata, makeGenericClientConstructor, status } from '@grpc/grpc-js';

const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const USER_AGENT = 'kube-probe/1.32';
const METHOD = '/grpc.health.v1.Health/Check';

/** HealthCheckRequest: the service is its first field. */
function requestBytes(service: string): Buffer {
  const text = Buffer.from(service);
  if (text.length === 0) return text;
  const length: number[] = [];
  for (let left = text.length; ; left >>>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), text]);
}

/** HealthCheckResponse: the status is its first field; 0 when it is left out. */
const statusOf = (bytes: Buffer): number => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0);

/** The time that the library adds is left out: each failure would be an event of its own. */
const UNCONNECTED =
  /^No connection established\. Last error: (?:Error: )?(.*?)(?: \([^()]*Z\))?\. Resolution note:/;

const HealthClient = makeGenericClientConstructor({}, 'grpc.health.v1.Health');

/** What is wrong; undefined when it serves. */
export async function askGrpcHealth(
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const client: Client = new HealthClient(address, credentials.createInsecure(), {
    'grpc.primary_user_agent': USER_AGENT,
    'grpc.enable_retries': 0,
    // A proxy of the agent's environment is none of the pod's.
    'grpc.enable_http_proxy': 0,
    // Each probe has a connection of its own.
    'grpc.use_local_subchannel_pool': 1,
  });
  const close = () => client.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        METHOD,
        requestBytes,
        statusOf,
        service,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (!error) return resolve(problemOf(answer ?? 0));
          if (error.code === status.UNIMPLEMENTED)
            return resolve(
              'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)',
            );
          if (error.code === status.DEADLINE_EXCEEDED)
            return resolve(`timeout: health rpc did not complete within ${timeoutMs / 1000}s`);
          const details = error.details || error.message;
          const [, unconnected] = UNCONNECTED.exec(details) ?? [];
          resolve(
            unconnected === undefined
              ? `error: health rpc probe failed: ${details}`
              : `error: failed to connect service at ${JSON.stringify(address)}: ${unconnected}`,
          );
        },
      );
    });
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}

const problemOf = (answer: number): string | undefined =>
  answer === SERVING
    ? undefined
    : `service unhealthy (responded with ${JSON.stringify(STATUS_NAMES[answer] ?? String(answer))})`;
