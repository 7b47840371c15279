// A whole RolloutPolicy: every error at once, each with its path.
import { isIntOrPercent, scaledCount } from '../int-or-percent.ts';
import type { RolloutPolicy, RolloutPolicySpec, RolloutStep } from '../schema/rollout-policy.ts';
import { atLeastZero, checked, duplicate, type FieldError, invalid, required } from './field-error.ts';
import { validateLabels, validateMetadata, validateSelector } from './metadata.ts';
import { dnsSubdomainProblem, qualifiedNameProblem } from './names.ts';

export function validateRolloutPolicy({ metadata = {}, spec }: RolloutPolicy): FieldError[] {
  return [...validateMetadata(metadata, true), ...(spec ? validateSpec(spec) : [required('spec')])];
}

function validateSpec(spec: RolloutPolicySpec): FieldError[] {
  const { progressDeadlineSeconds: deadline } = spec;
  return [
    ...validateSubjects(spec),
    ...(deadline !== undefined && deadline < 1
      ? [invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than 0')]
      : []),
    ...someOrPercent('spec.failureThreshold', spec.failureThreshold),
    ...atLeastZero('spec.soakSeconds', spec.soakSeconds),
    ...atLeastZero('spec.prePull.maxParallel', spec.prePull?.maxParallel),
    ...intOrPercent('spec.partition', spec.partition),
    ...validateSteps(spec.steps ?? []),
    ...(spec.topologyBudgets ?? []).flatMap(({ topologyKey, maxUnavailable = 1 }, index) => {
      const at = `spec.topologyBudgets[${index}]`;
      return [
        ...(topologyKey
          ? checked(`${at}.topologyKey`, topologyKey, qualifiedNameProblem)
          : [required(`${at}.topologyKey`)]),
        ...(maxUnavailable < 1
          ? [invalid(`${at}.maxUnavailable`, maxUnavailable, 'must be greater than 0')]
          : []),
      ];
    }),
  ];
}

function validateSubjects({ daemonSets, selector }: RolloutPolicySpec): FieldError[] {
  if (!daemonSets?.length && !selector)
    return [required('spec.daemonSets', 'name DaemonSets here, or select them by `selector`')];
  return [
    ...(daemonSets ?? []).flatMap((name, index) =>
      checked(`spec.daemonSets[${index}]`, name, dnsSubdomainProblem),
    ),
    ...(selector ? validateSelector('spec.selector', selector) : []),
  ];
}

function validateSteps(steps: readonly RolloutStep[]): FieldError[] {
  const seen = new Set<string>();
  return steps.flatMap((step, index) => {
    const at = `spec.steps[${index}]`;
    const name = step.name ?? `step ${index + 1}`;
    const again = seen.has(name) ? [duplicate(`${at}.name`, name)] : [];
    seen.add(name);
    return [
      ...again,
      ...validateLabels(`${at}.nodeSelector`, step.nodeSelector),
      ...intOrPercent(`${at}.nodes`, step.nodes),
      ...someOrPercent(`${at}.maxUnavailable`, step.maxUnavailable),
      ...atLeastZero(`${at}.soakSeconds`, step.soakSeconds),
    ];
  });
}

/** What would be nothing is refused. */
const someOrPercent = (field: string, value: number | string | undefined): FieldError[] =>
  value !== undefined && isIntOrPercent(value) && scaledCount(value, 100) === 0
    ? [invalid(field, value, 'must be greater than 0')]
    : intOrPercent(field, value);

const intOrPercent = (field: string, value: number | string | undefined): FieldError[] =>
  value === undefined || isIntOrPercent(value)
    ? []
    : [invalid(field, value, 'must be a count from 0 or a percentage from 0% to 100%')];
