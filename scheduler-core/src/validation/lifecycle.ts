// Lifecycle hooks: exactly one way to run each (rules 81, 103 and 104).
import type { Container } from '../schema/container.ts';
import { type FieldError, forbidden, invalid, required } from './field-error.ts';
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
