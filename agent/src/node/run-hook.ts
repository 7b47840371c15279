// Runs one lifecycle hook of a container (rules 103 and 104). How its failure reads is Kubernetes' word.
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { pause } from '../pause.ts';
import { sendHttpGet } from '../probes/http-get.ts';
import { resolvePort } from '../probes/run-probe.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';

export type Hook = NonNullable<NonNullable<Container['lifecycle']>['postStart']>;

export interface HookTarget {
  readonly record: PodRecord;
  readonly container: Container;
  readonly containerId: string;
  /** Where the pod listens; absent while that is not known. */
  readonly podIp?: string;
}

const USER_AGENT = 'kube-lifecycle/1.32';

/** Throws what went wrong; ends with the signal's reason when that is aborted. */
export async function runHook(
  runtime: ContainerRuntime,
  target: HookTarget,
  hook: Hook,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const broken = Promise.withResolvers<never>();
  const breakOff = () => broken.reject(signal.reason);
  signal.addEventListener('abort', breakOff, { once: true });
  try {
    await Promise.race([begin(runtime, target, hook, timeoutMs, signal), broken.promise]);
  } finally {
    signal.removeEventListener('abort', breakOff);
  }
}

async function begin(
  runtime: ContainerRuntime,
  target: HookTarget,
  { exec, httpGet, sleep }: Hook,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  // tcpSocket is valid and does nothing, in Kubernetes as well (rule 81).
  if (exec) await runExec(runtime, target, exec.command ?? [], timeoutMs);
  else if (httpGet) await runHttp(target, httpGet, signal);
  else if (sleep) await pause(sleep.seconds * 1000, signal);
}

const about = ({ record, container }: HookTarget): string =>
  `for Container ${JSON.stringify(container.name)} in Pod "${record.name}_${record.namespace}(${record.uid})" failed`;

/** The command is taken as it is written: unlike those of probes, variables in it are not expanded. */
async function runExec(
  runtime: ContainerRuntime,
  target: HookTarget,
  command: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const what = `Exec lifecycle hook ([${command.join(' ')}]) ${about(target)}`;
  let ended: Awaited<ReturnType<ContainerRuntime['exec']>>;
  try {
    ended = await runtime.exec(target.containerId, command, timeoutMs);
  } catch (error) {
    throw new Error(`${what} - error: ${(error as Error).message}`, { cause: error });
  }
  const { exitCode, output } = ended;
  if (exitCode !== 0)
    throw new Error(
      `${what} - error: command '${command.join(' ')}' exited with ${exitCode}: ${output}, message: ${JSON.stringify(output)}`,
    );
}

/** Any answer will do, whatever its status. */
async function runHttp(
  target: HookTarget,
  action: NonNullable<Hook['httpGet']>,
  signal: AbortSignal,
): Promise<void> {
  const host = action.host || target.podIp;
  const port = resolvePort(target.container, action.port);
  const what = `HTTP lifecycle hook (${action.path ?? '/'}) ${about(target)} - error:`;
  if (host === undefined) throw new Error(`${what} the pod has no address`);
  if (port === undefined)
    throw new Error(`${what} the port ${action.port} is not among the container's ports`);
  try {
    await sendHttpGet(action, host, port, USER_AGENT, signal);
  } catch (error) {
    throw new Error(`${what} ${(error as Error).message}`, { cause: error });
  }
}
