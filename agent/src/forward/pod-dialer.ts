// Connections to what a pod listens on, its localhost included: in the pod's own network they are dialled by a process
// that lives there, begun when the first is wanted and ended when none was wanted for a while.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isInContainer } from '../runtime/end-session.ts';
import { dial, dialLocalhost } from './dial-localhost.ts';
import type { DialAnswer, DialRequest } from './dial-process.ts';

/** The network that a pod's containers share: the machine's, or that of its holder. */
export type PodNetwork =
  | 'host'
  | { readonly holderId: string; readonly pid: number | undefined; readonly ip: string | undefined };

export interface PodDialer {
  readonly dial: (network: PodNetwork, port: number) => Promise<Socket>;
  readonly close: () => void;
}

const IDLE_MS = 10_000;

export class CannotDial extends Error {}

const REASONS: { readonly [code: string]: string } = {
  ECONNREFUSED: 'connection refused',
  ETIMEDOUT: 'connection timed out',
  ECONNRESET: 'connection reset by peer',
};
const asCannotDial = (port: number, code: string): CannotDial =>
  new CannotDial(`failed to connect to localhost:${port} inside the pod: ${REASONS[code] ?? code}`);

export function createPodDialer(): PodDialer {
  const helpers = new Map<string, Helper>();

  const helperIn = (holderId: string, pid: number): Helper => {
    const known = helpers.get(holderId);
    if (known) return known;
    const helper = startHelper(pid, () => {
      if (helpers.get(holderId) === helper) helpers.delete(holderId);
    });
    helpers.set(holderId, helper);
    return helper;
  };

  return {
    dial: async (network, port) => {
      try {
        if (network === 'host') return await dialLocalhost(port);
        const { holderId, pid, ip } = network;
        // An agent that counts its processes apart from the engine cannot find the network.
        if (pid !== undefined && isInContainer(holderId, pid)) {
          const dialled = await helperIn(holderId, pid).dial(port);
          if (dialled !== 'unable') return dialled;
        }
        if (!ip) throw new CannotDial('the pod has no network yet');
        return await dial(ip, port);
      } catch (error) {
        if (error instanceof CannotDial) throw error;
        const { code, message } = error as NodeJS.ErrnoException;
        throw asCannotDial(port, code ?? message);
      }
    },
    close: () => {
      for (const helper of helpers.values()) helper.end();
    },
  };
}

interface Helper {
  /** `unable`: the process could not enter the pod's network. */
  readonly dial: (port: number) => Promise<Socket | 'unable'>;
  readonly end: () => void;
}

interface Waiting {
  readonly answered: (answer: Socket | 'unable') => void;
  readonly failed: (error: Error) => void;
}

function startHelper(pid: number, onEnd: () => void): Helper {
  const waiting = new Map<number, Waiting>();
  let count = 0;
  let idle: NodeJS.Timeout | undefined;
  const child: ChildProcess = spawn(
    'nsenter',
    [`--net=/proc/${pid}/ns/net`, '--', process.execPath, helperFile()],
    { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
  );
  const end = () => {
    clearTimeout(idle);
    onEnd();
    if (child.connected) child.disconnect();
  };
  const gone = () => {
    clearTimeout(idle);
    onEnd();
    for (const { answered } of waiting.values()) answered('unable');
    waiting.clear();
  };
  const rest = () => {
    clearTimeout(idle);
    if (waiting.size === 0) idle = setTimeout(end, IDLE_MS).unref();
  };
  child.on('message', ({ id, code }: DialAnswer, socket?: Socket) => {
    const asker = waiting.get(id);
    waiting.delete(id);
    rest();
    if (!asker) return void socket?.destroy();
    if (!socket) return asker.failed(Object.assign(new Error('not connected'), { code }));
    socket.allowHalfOpen = true;
    asker.answered(socket);
  });
  child.on('error', gone);
  child.on('exit', gone);
  return {
    end,
    dial: (port) =>
      new Promise((answered, failed) => {
        const id = ++count;
        waiting.set(id, { answered, failed });
        clearTimeout(idle);
        const request: DialRequest = { id, port };
        child.send(request, (error) => {
          if (error && waiting.delete(id)) answered('unable');
        });
      }),
  };
}

/** Bundled, the process's code is a file beside this one. */
const helperFile = (): string =>
  fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? './dial-process.ts' : './dial-process.js', import.meta.url),
  );
