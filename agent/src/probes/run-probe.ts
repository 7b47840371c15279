// Asks one container once how it is (rules 94 and 95).
import { connect } from 'node:net';
import { expandEnvironment, expandVariables } from '@fleetset/scheduler-core/node/expand-variables';
import { type ProbeOutcome, timeoutMs } from '@fleetset/scheduler-core/probe-state';
import type { Container, Probe } from '@fleetset/scheduler-core/schema/container';
import { type ContainerRuntime, RuntimeError } from '../runtime/container-runtime.ts';
import { withinTimer } from '../timer-limit.ts';
import { askGrpcHealth } from './grpc-health.ts';
import { sendHttpGet } from './http-get.ts';

export interface ProbeTarget {
  readonly containerId: string;
  readonly container: Container;
  /** Where the pod listens; absent while that is not known. */
  readonly podIp?: string;
}

export interface ProbeAnswer {
  readonly outcome: ProbeOutcome;
  /** What to tell people when it is not a success. */
  readonly message: string;
}

const USER_AGENT = 'kube-probe/1.32';

export async function runProbe(
  runtime: ContainerRuntime,
  target: ProbeTarget,
  probe: Probe,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  if (probe.exec) return runExec(runtime, target, probe);
  const host = probe.httpGet?.host || probe.tcpSocket?.host || target.podIp;
  const port = resolvePort(
    target.container,
    probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port,
  );
  if (host === undefined) return { outcome: 'error', message: 'the pod has no address yet' };
  if (port === undefined)
    return { outcome: 'error', message: 'the port of the probe is not among the container ports' };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(withinTimer(timeoutMs(probe)))]);
  try {
    if (probe.httpGet) return await runHttp(probe.httpGet, host, port, deadline);
    if (probe.grpc) {
      // Has its own deadline: closed at that very moment it would say that it was closed, not that it was late.
      const problem = await askGrpcHealth(host, port, probe.grpc.service ?? '', timeoutMs(probe), signal);
      signal.throwIfAborted();
      return problem === undefined ? success : { outcome: 'failure', message: problem };
    }
    await tryConnect(host, port, deadline);
    return success;
  } catch (error) {
    if (signal.aborted) return { outcome: 'error', message: 'the agent is stopping' };
    return { outcome: 'failure', message: failureText(probe, host, port, error, deadline.aborted) };
  }
}

const success: ProbeAnswer = { outcome: 'success', message: '' };

function failureText(probe: Probe, host: string, port: number, error: unknown, timedOut: boolean): string {
  const why = timedOut ? 'context deadline exceeded' : (error as Error).message;
  if (!probe.httpGet) return `dial tcp ${host}:${port}: ${why}`;
  const { scheme = 'HTTP', path = '/' } = probe.httpGet;
  return `Get "${scheme.toLowerCase()}://${host}:${port}${path}": ${why}`;
}

/** Named ports are those of the container itself. */
export function resolvePort(container: Container, port: number | string | undefined): number | undefined {
  if (typeof port === 'number' || port === undefined) return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
}

/** Only literal values of the container's env are seen in the command (rule 95). */
async function runExec(runtime: ContainerRuntime, target: ProbeTarget, probe: Probe): Promise<ProbeAnswer> {
  const environment = expandEnvironment(target.container.env ?? []);
  const command = (probe.exec?.command ?? []).map((word) => expandVariables(word, environment));
  try {
    const { exitCode, output } = await runtime.exec(target.containerId, command, timeoutMs(probe));
    return exitCode === 0
      ? success
      : { outcome: 'failure', message: output.trim() || `exit code ${exitCode}` };
  } catch (error) {
    const timedOut = error instanceof RuntimeError && error.kind === 'timeout';
    return { outcome: timedOut ? 'failure' : 'error', message: (error as Error).message };
  }
}

function tryConnect(host: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

async function runHttp(
  action: NonNullable<Probe['httpGet']>,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const status = await sendHttpGet(action, host, port, USER_AGENT, signal, 'body');
  return status >= 200 && status < 400
    ? success
    : { outcome: 'failure', message: `HTTP probe failed with statuscode: ${status}` };
}
