// pods/exec and pods/attach: a client's streams on one side, the agent's tunnel on the other. What the container does
// begins when both stand, so that a refused client that asks again in another way runs nothing twice.
import type { OpenTunnel } from '@fleetset/proto/gen/fleetset/v1/node';
import { badRequest } from '../api/api-error.ts';
import { containerAsked } from '../api/container-asked.ts';
import { flagParameter } from '../api/request.ts';
import type { SubresourceCall } from '../api/resource-call.ts';
import type { Tunnel, Tunnels } from '../sync/tunnels.ts';
import { COMMAND_PROTOCOLS, type CommandClient, type StreamsAsked } from './command-client.ts';
import { commandOverSpdy } from './command-over-spdy.ts';
import { commandOverWebSocket } from './command-over-websocket.ts';
import { chooseProtocol, type Upgrade } from './upgrade.ts';
import { acceptWebSocket, requireWebSocket } from './websocket.ts';

export async function serveCommand(
  call: SubresourceCall,
  tunnels: Tunnels,
  kind: 'exec' | 'attach',
): Promise<void> {
  const { object, query, request, signal, upgrade } = call;
  if (!upgrade) throw badRequest('Upgrade request required');
  const { nodeName, podUid, container } = containerAsked(object, query);
  const asked = streamsAsked(query);
  const command = query.getAll('command');
  if (kind === 'exec' && command.length === 0)
    throw badRequest('you must specify at least 1 command for the container');
  const protocol = negotiate(request, upgrade);
  const { stdin, stdout, stderr, tty } = asked;
  const wanted: OpenTunnel['request'] =
    kind === 'exec'
      ? { $case: 'exec', value: { podUid, container, command, stdin, stdout, stderr, tty } }
      : { $case: 'attach', value: { podUid, container, stdin, stdout, stderr } };
  const tunnel = await tunnels.open(nodeName, wanted, AbortSignal.any([signal, upgrade.gone]));
  try {
    const client = await accept(call, upgrade, protocol, asked);
    if (client) await client.finish(await carry(tunnel, client, signal));
  } finally {
    tunnel.close();
  }
}

function streamsAsked(query: URLSearchParams): StreamsAsked {
  const flag = (name: string) => flagParameter(query, name);
  const tty = flag('tty');
  const asked = { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr'), tty };
  if (!asked.stdin && !asked.stdout && !asked.stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  // A terminal has one output.
  if (tty && asked.stderr) throw badRequest('tty and stderr cannot both be true');
  return asked;
}

/** The protocol that both speak, before anything is begun. */
function negotiate(request: SubresourceCall['request'], upgrade: Upgrade): string {
  if (upgrade.protocol === 'websocket') requireWebSocket(request);
  return chooseProtocol(request, upgrade, COMMAND_PROTOCOLS);
}

async function accept(
  { request }: SubresourceCall,
  upgrade: Upgrade,
  protocol: string,
  asked: StreamsAsked,
): Promise<CommandClient | undefined> {
  if (upgrade.protocol === 'websocket')
    return commandOverWebSocket(acceptWebSocket(request, upgrade, protocol), protocol, asked);
  const connection = upgrade.take({ Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol });
  return commandOverSpdy(connection, asked);
}

/** Answers how it ended, as a Status. */
async function carry(tunnel: Tunnel, client: CommandClient, stopping: AbortSignal): Promise<object> {
  const leave = () => tunnel.close();
  client.gone.addEventListener('abort', leave);
  if (client.gone.aborted) leave();
  client.onResize(tunnel.resize);
  tunnel.begin();
  void pourIn(client, tunnel);
  try {
    for await (const frame of tunnel.frames)
      switch (frame.$case) {
        case 'data':
          await client.write('stdout', frame.value);
          break;
        case 'errorData':
          await client.write('stderr', frame.value);
          break;
        case 'end':
          return frame.value.failure === '' ? exitStatus(frame.value.exitCode) : failed(frame.value.failure);
      }
    return failed(stopping.aborted ? 'the plane is stopping' : 'the agent ended the stream too early');
  } catch (error) {
    return failed(stopping.aborted ? 'the plane is stopping' : (error as Error).message);
  } finally {
    client.gone.removeEventListener('abort', leave);
    tunnel.close();
  }
}

async function pourIn(client: CommandClient, tunnel: Tunnel): Promise<void> {
  try {
    for await (const piece of client.stdin) await tunnel.sendData(piece);
    tunnel.endData();
  } catch {
    // The client has left, or the agent: whoever waits for output is told.
  }
}

function exitStatus(exitCode: number): object {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

const failed = (message: string): object => ({
  metadata: {},
  status: 'Failure',
  reason: 'InternalError',
  message,
  code: 500,
});
