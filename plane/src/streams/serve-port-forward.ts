// pods/portforward: SPDY on the connection itself, or (kubectl 1.31 and later) on the bytes of a WebSocket. For each
// connection that the client wants forwarded it opens two streams, one for data and one for what goes wrong.
import { badRequest } from '../api/api-error.ts';
import type { SubresourceCall } from '../api/resource-call.ts';
import type { Tunnel, Tunnels } from '../sync/tunnels.ts';
import { type SpdyStream, serveSpdy } from './spdy-session.ts';
import { chooseProtocol, type Upgrade } from './upgrade.ts';
import { acceptWebSocket, bytesOf, requireWebSocket } from './websocket.ts';

const PROTOCOL = 'portforward.k8s.io';
const TUNNELLED = `SPDY/3.1+${PROTOCOL}`;
/** Of one client at once. */
const CONNECTIONS_LIMIT = 1000;
const PAIR_TIMEOUT_MS = 30_000;

export async function servePortForward(call: SubresourceCall, tunnels: Tunnels): Promise<void> {
  const { object, upgrade, signal } = call;
  if (!upgrade) throw badRequest('Upgrade request required');
  const { nodeName = '' } = (object as { spec?: { nodeName?: string } }).spec ?? {};
  requireProtocol(call, upgrade);
  tunnels.require(nodeName);
  const { uid = '', name = '' } = object.metadata;
  const connection =
    upgrade.protocol === 'websocket'
      ? bytesOf(acceptWebSocket(call.request, upgrade, TUNNELLED))
      : upgrade.take({ Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': PROTOCOL });
  const pairing = createPairing((port, pair) => {
    void forward(pair, name, port, () =>
      tunnels.open(
        nodeName,
        { $case: 'portForward', value: { podUid: uid, port } },
        AbortSignal.any([signal, session.gone]),
      ),
    );
  });
  const session = serveSpdy(connection, { maxStreams: 2 * CONNECTIONS_LIMIT, onStream: pairing.take });
  // The plane lives longer than its clients.
  signal.addEventListener('abort', () => void session.close(0), { signal: session.gone });
  session.gone.addEventListener('abort', pairing.end, { once: true });
  if (!session.gone.aborted)
    await new Promise((resolve) => session.gone.addEventListener('abort', resolve, { once: true }));
}

function requireProtocol({ request }: SubresourceCall, upgrade: Upgrade): void {
  const tunnelled = upgrade.protocol === 'websocket';
  if (tunnelled) requireWebSocket(request);
  chooseProtocol(request, upgrade, [tunnelled ? TUNNELLED : PROTOCOL]);
}

interface Pair {
  readonly data: SpdyStream;
  readonly error: SpdyStream;
}

/** Brings the two streams of one request together. */
function createPairing(onPair: (port: number, pair: Pair) => void): {
  readonly take: (stream: SpdyStream) => void;
  /** Nobody brings the missing halves any more. */
  readonly end: () => void;
} {
  const halves = new Map<
    string,
    { readonly kind: string; readonly stream: SpdyStream; late: NodeJS.Timeout }
  >();
  const take = (stream: SpdyStream) => {
    const kind = stream.headers.get('streamtype') ?? '';
    const port = Number(stream.headers.get('port'));
    const id = stream.headers.get('requestid') ?? '';
    const known = (kind === 'data' || kind === 'error') && id !== '';
    if (!known || !Number.isInteger(port) || port < 1 || port > 65_535) return stream.reset();
    const other = halves.get(id);
    if (other?.kind === kind) return stream.reset();
    if (!other) {
      const late = setTimeout(() => {
        halves.delete(id);
        stream.reset();
      }, PAIR_TIMEOUT_MS).unref();
      halves.set(id, { kind, stream, late });
      return;
    }
    clearTimeout(other.late);
    halves.delete(id);
    onPair(
      port,
      kind === 'data' ? { data: stream, error: other.stream } : { data: other.stream, error: stream },
    );
  };
  return {
    take,
    end: () => {
      for (const { late } of halves.values()) clearTimeout(late);
      halves.clear();
    },
  };
}

async function forward(
  { data, error }: Pair,
  podName: string,
  port: number,
  open: () => Promise<Tunnel>,
): Promise<void> {
  let tunnel: Tunnel | undefined;
  try {
    tunnel = await open();
    await Promise.all([fromClient(data, tunnel), toClient(data, error, tunnel)]);
  } catch (failure) {
    const why = failure instanceof ClientLeft ? '' : (failure as Error).message;
    if (why !== '') await error.write(Buffer.from(`error forwarding port ${port} to pod ${podName}: ${why}`));
  } finally {
    tunnel?.close();
    error.end();
    data.end();
    data.reset();
  }
}

/** There is nobody to tell. */
class ClientLeft extends Error {}

async function fromClient(data: SpdyStream, tunnel: Tunnel): Promise<void> {
  const pieces = data.data[Symbol.asyncIterator]();
  for (;;) {
    const next = await pieces.next().catch(() => {
      throw new ClientLeft();
    });
    if (next.done) return tunnel.endData();
    await tunnel.sendData(next.value);
  }
}

async function toClient(data: SpdyStream, error: SpdyStream, tunnel: Tunnel): Promise<void> {
  for await (const frame of tunnel.frames)
    switch (frame.$case) {
      case 'data':
        await data.write(frame.value);
        break;
      case 'dataEnd':
        // A client that is done only hears of it when both streams say so.
        data.end();
        error.end();
        break;
      case 'end':
        if (frame.value.failure !== '') throw new Error(frame.value.failure);
        // Nobody takes what the client may still send.
        data.end();
        data.reset();
        return;
    }
  throw new Error('the agent ended the stream too early');
}
