// Asks one container once how it is (rules 94 and 95).
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { expandEnvironment, expandVariables } from '@fleetset/scheduler-core/node/expand-variables';
import { type ProbeOutcome, timeoutMs } from '@fleetset/scheduler-core/probe-state';
import type { Container, Probe } from '@fleetset/scheduler-core/schema/container';
import { type ContainerRuntime, RuntimeError } from '../runtime/container-runtime.ts';
import { withinTimer } from '../timer-limit.ts';

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
const REDIRECT_LIMIT = 10;

export async function runProbe(
  runtime: ContainerRuntime,
  target: ProbeTarget,
  probe: Probe,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  if (probe.exec) return runExec(runtime, target, probe);
  const host = probe.httpGet?.host || probe.tcpSocket?.host || target.podIp;
  const port = resolvePort(target.container, probe.httpGet?.port ?? probe.tcpSocket?.port);
  if (host === undefined) return { outcome: 'error', message: 'the pod has no address yet' };
  if (port === undefined)
    return { outcome: 'error', message: 'the port of the probe is not among the container ports' };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(withinTimer(timeoutMs(probe)))]);
  try {
    if (probe.httpGet) return await runHttp(probe.httpGet, host, port, deadline);
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
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  let url = new URL(
    `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${absolute(action.path ?? '/')}`,
  );
  const headers: { [name: string]: string } = {
    'User-Agent': USER_AGENT,
    Accept: '*/*',
    Connection: 'close',
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  for (let hop = 0; ; hop++) {
    const { status, location } = await getStatus(url, headers, signal);
    const next = status >= 300 && status < 400 && location ? new URL(location, url) : undefined;
    // A redirect to elsewhere counts as an answer.
    if (!next || next.hostname !== url.hostname)
      return status >= 200 && status < 400
        ? success
        : { outcome: 'failure', message: `HTTP probe failed with statuscode: ${status}` };
    if (hop + 1 === REDIRECT_LIMIT) throw new Error(`stopped after ${REDIRECT_LIMIT} redirects`);
    url = next;
  }
}

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

function getStatus(
  url: URL,
  headers: { readonly [name: string]: string },
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly location: string | undefined }> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, { headers, signal, agent: false, rejectUnauthorized: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, location: response.headers.location });
      response.destroy();
    });
    request.on('error', reject);
    request.end();
  });
}
