// A client in a container: with a command of its own (exec), or with the streams of its first process (attach).
import type { AttachRequest, ExecRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type ContainerRuntime,
  isRuntimeError,
  type RuntimeContainer,
} from '../runtime/container-runtime.ts';
import type { PreparedTerminal, Terminal } from '../runtime/terminal.ts';
import type { Tunnel } from './tunnel.ts';

export const serveExec = (runtime: ContainerRuntime, request: ExecRequest, tunnel: Tunnel): Promise<void> =>
  serveTerminal(runtime, request, tunnel, ({ id }) => runtime.prepareCommand(id, request));

export const serveAttach = (
  runtime: ContainerRuntime,
  request: AttachRequest,
  tunnel: Tunnel,
): Promise<void> => serveTerminal(runtime, request, tunnel, ({ id }) => runtime.prepareAttach(id, request));

interface Asked {
  readonly podUid: string;
  readonly container: string;
  readonly stdin: boolean;
}

async function serveTerminal(
  runtime: ContainerRuntime,
  asked: Asked,
  tunnel: Tunnel,
  prepare: (container: RuntimeContainer) => Promise<PreparedTerminal>,
): Promise<void> {
  const notThere = () =>
    tunnel.answer(404, `unable to upgrade connection: container not found ("${asked.container}")`);
  const found = running(await runtime.list(), asked);
  if (!found) return notThere();
  let start: PreparedTerminal;
  try {
    start = await prepare(found);
  } catch (error) {
    // It ended meanwhile.
    if (isRuntimeError(error, 'not-found') || isRuntimeError(error, 'conflict')) return notThere();
    throw error;
  }
  tunnel.answer(200);
  if (!(await tunnel.begun)) return;
  const failure = await start()
    .then((terminal) => carry(terminal, asked, tunnel))
    .catch((error: unknown) => (error as Error).message);
  if (failure && !tunnel.signal.aborted) await tunnel.send({ $case: 'end', value: { exitCode: 0, failure } });
}

/** Answers why it could not be carried to its end. */
async function carry(terminal: Terminal, { stdin }: Asked, tunnel: Tunnel): Promise<string | undefined> {
  let over = false;
  const leave = () => {
    if (!over) terminal.leave();
    over = true;
  };
  tunnel.signal.addEventListener('abort', leave);
  if (tunnel.signal.aborted) leave();
  tunnel.onResize((size) => {
    // A size that comes too late for the command changes nothing.
    terminal.resize(size).catch(() => {});
  });
  if (stdin) void pour(tunnel, terminal);
  try {
    for await (const { stderr, data } of terminal.output)
      await tunnel.sendData(stderr ? 'errorData' : 'data', data);
    const exitCode = await terminal.exitCode();
    over = true;
    await tunnel.send({ $case: 'end', value: { exitCode, failure: '' } });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    leave();
    tunnel.signal.removeEventListener('abort', leave);
  }
}

/** Input that nobody reads any more is dropped by the terminal; that the client left is heard elsewhere. */
async function pour({ input }: Tunnel, terminal: Terminal): Promise<void> {
  try {
    for await (const piece of input) await terminal.write(piece);
    terminal.endInput();
  } catch {
    // The client has left: the terminal is let go of.
  }
}

const running = (
  containers: readonly RuntimeContainer[],
  { podUid, container }: Asked,
): RuntimeContainer | undefined =>
  containers.find(
    ({ identity, state }) =>
      identity.pod.uid === podUid && identity.name === container && state === 'running',
  );
