// Lifecycle hooks: exactly one way to run each (rules 81, 103 and 104).
import type { Container } from '../schema/container.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from './field-error.ts';
import { validateHandler } from './probes.ts';

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'sleep'] as const;

type Hook = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

export const validateLifecycle = (
  at: string,
  lifecycle: Container['lifecycle'],
  graceSeconds: number | undefined,
): FieldError[] =>
  (['postStart', 'preStop'] as const).flatMap((name) => {
    const hook = lifecycle?.[name];
    return hook ? validateHook(`${at}.${name}`, hook, graceSeconds) : [];
  });

const numbered = (first: string, last: string, beyond: number): string[] =>
  Array.from({ length: beyond }, (_, index) => [`${first}+${index + 1}`, `${last}-${index + 1}`]).flat();

/** Those that Kubernetes takes. */
const SIGNALS: readonly string[] = [
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS'.split(
    ' ',
  ),
  ...'TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'.split(' '),
  ...numbered('RTMIN', 'RTMAX', 14),
  'RTMIN+15',
]
  .map((name) => `SIG${name}`)
  .sort();

/** Of another system than the pod is for nothing is known of signals. */
export function validateStopSignal(
  field: string,
  signal: string | undefined,
  os: string | undefined,
): FieldError[] {
  if (signal === undefined) return [];
  if (!os) return [forbidden(field, 'may not be set for containers with empty `spec.os.name`')];
  const known = os === 'windows' ? ['SIGKILL', 'SIGTERM'] : SIGNALS;
  return known.includes(signal) ? [] : [notSupported(field, signal, known)];
}

function validateHook(at: string, hook: Hook, graceSeconds: number | undefined): FieldError[] {
  const [first, ...more] = HANDLERS.filter((kind) => hook[kind] !== undefined);
  if (!first) return [required(at, 'must specify a handler type')];
  return [
    ...more.map((kind) => forbidden(`${at}.${kind}`, 'may not specify more than 1 handler type')),
    ...validateHandler(at, hook),
    ...validateSleep(`${at}.sleep`, hook.sleep?.seconds, graceSeconds),
  ];
}

function validateSleep(
  at: string,
  seconds: number | undefined,
  graceSeconds: number | undefined,
): FieldError[] {
  if (seconds === undefined || graceSeconds === undefined) return [];
  return seconds < 0 || seconds > graceSeconds
    ? [
        invalid(
          at,
          seconds,
          `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`,
        ),
      ]
    : [];
}
