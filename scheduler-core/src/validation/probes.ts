// Probes: exactly one way to ask, and numbers that make sense (rule 79).
import type { Probe } from '../schema/container.ts';
import {
  atLeastZero,
  checked,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import { httpHeaderProblem, portNameProblem } from './names.ts';

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc'] as const;

export function validateProbe(
  at: string,
  probe: Probe | undefined,
  kind: 'liveness' | 'readiness' | 'startup',
): FieldError[] {
  if (!probe) return [];
  const numbers = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  return [
    ...validateHandlers(at, probe),
    ...numbers.flatMap((name) => atLeastZero(`${at}.${name}`, probe[name])),
    ...(kind !== 'readiness' && probe.successThreshold !== undefined && probe.successThreshold !== 1
      ? [invalid(`${at}.successThreshold`, probe.successThreshold, 'must be 1')]
      : []),
    ...validateProbeGrace(at, probe, kind),
  ];
}

function validateProbeGrace(at: string, probe: Probe, kind: string): FieldError[] {
  const field = `${at}.terminationGracePeriodSeconds`;
  const seconds = probe.terminationGracePeriodSeconds;
  if (seconds === undefined) return [];
  if (kind === 'readiness') return [invalid(field, seconds, 'must not be set for readinessProbes')];
  return seconds <= 0 ? [invalid(field, seconds, 'must be greater than 0')] : [];
}

function validateHandlers(at: string, probe: Probe): FieldError[] {
  const given = HANDLERS.filter((handler) => probe[handler] !== undefined);
  const [first, ...more] = given;
  if (!first) return [required(at, 'must specify a handler type')];
  return [
    ...more.map((handler) => forbidden(`${at}.${handler}`, 'may not specify more than 1 handler type')),
    ...validateHandler(at, probe),
  ];
}

type Handlers = Pick<Probe, (typeof HANDLERS)[number]>;

/** Of probes and of lifecycle hooks alike. */
export function validateHandler(at: string, { exec, httpGet, tcpSocket, grpc }: Handlers): FieldError[] {
  return [
    ...(exec && !exec.command?.length ? [required(`${at}.exec.command`)] : []),
    ...(httpGet ? validatePortRef(`${at}.httpGet.port`, httpGet.port) : []),
    ...(httpGet && !httpGet.path ? [required(`${at}.httpGet.path`)] : []),
    ...(httpGet?.scheme && httpGet.scheme !== 'HTTP' && httpGet.scheme !== 'HTTPS'
      ? [notSupported(`${at}.httpGet.scheme`, httpGet.scheme, ['HTTP', 'HTTPS'])]
      : []),
    ...(httpGet?.httpHeaders ?? []).flatMap(({ name }) =>
      checked(`${at}.httpGet.httpHeaders`, name, httpHeaderProblem),
    ),
    ...(tcpSocket ? validatePortRef(`${at}.tcpSocket.port`, tcpSocket.port) : []),
    ...(grpc ? validatePortRef(`${at}.grpc.port`, grpc.port) : []),
  ];
}

export function validatePortRef(field: string, port: number | string): FieldError[] {
  if (typeof port === 'number')
    return port < 1 || port > 65535 ? [invalid(field, port, 'must be between 1 and 65535, inclusive')] : [];
  const problem = portNameProblem(port);
  return problem ? [invalid(field, port, problem)] : [];
}
