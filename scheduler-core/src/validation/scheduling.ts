// Tolerations, node selectors and node affinity in a pod template; taints on a node.
import {
  type Affinity,
  type NodeSelectorRequirement,
  type NodeSelectorTerm,
  TAINT_EFFECTS,
  type Taint,
  type Toleration,
} from '../schema/scheduling.ts';
import {
  checked,
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import { labelValueProblem, qualifiedNameProblem } from './names.ts';

export function validateTolerations(field: string, tolerations: readonly Toleration[]): FieldError[] {
  return tolerations.flatMap((toleration, index) => validateToleration(`${field}[${index}]`, toleration));
}

function validateToleration(at: string, toleration: Toleration): FieldError[] {
  const { key, operator = '', value, effect, tolerationSeconds } = toleration;
  const errors: FieldError[] = key ? checked(`${at}.key`, key, qualifiedNameProblem) : [];
  if (!key && operator !== 'Exists')
    errors.push(
      invalid(
        `${at}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(
      invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"),
    );
  if (operator === 'Exists' && value)
    errors.push(invalid(`${at}.operator`, operator, "value must be empty when `operator` is 'Exists'"));
  if (operator === '' || operator === 'Equal')
    errors.push(...checked(`${at}.operator`, value ?? '', labelValueProblem));
  else if (operator !== 'Exists') errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']));
  if (effect && !isTaintEffect(effect)) errors.push(notSupported(`${at}.effect`, effect, TAINT_EFFECTS));
  return errors;
}

const isTaintEffect = (effect: string): boolean => (TAINT_EFFECTS as readonly string[]).includes(effect);

export function validateTaints(field: string, taints: readonly Taint[]): FieldError[] {
  const seen = new Set<string>();
  return taints.flatMap((taint, index) => {
    const at = `${field}[${index}]`;
    const identity = `${taint.key}:${taint.effect}`;
    const repeated = seen.has(identity);
    seen.add(identity);
    return [
      ...checked(`${at}.key`, taint.key, qualifiedNameProblem),
      ...checked(`${at}.value`, taint.value ?? '', labelValueProblem),
      ...(taint.effect
        ? isTaintEffect(taint.effect)
          ? []
          : [notSupported(`${at}.effect`, taint.effect, TAINT_EFFECTS)]
        : [required(`${at}.effect`)]),
      ...(repeated ? [duplicate(at, { key: taint.key, effect: taint.effect })] : []),
    ];
  });
}

export function validateNodeAffinity(field: string, affinity: Affinity | undefined): FieldError[] {
  const required_ = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const preferred = affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const at = `${field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const required__ =
    required_ === undefined
      ? []
      : required_.nodeSelectorTerms.length === 0
        ? [required(at, 'must have at least one node selector term')]
        : required_.nodeSelectorTerms.flatMap((term, index) => validateTerm(`${at}[${index}]`, term));
  const preferredAt = `${field}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`;
  return [
    ...required__,
    ...preferred.flatMap((term, index) => [
      ...(term.weight < 1 || term.weight > 100
        ? [invalid(`${preferredAt}[${index}].weight`, term.weight, 'must be in the range 1-100')]
        : []),
      ...validateTerm(`${preferredAt}[${index}].preference`, term.preference ?? {}),
    ]),
  ];
}

function validateTerm(at: string, term: NodeSelectorTerm): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((requirement, index) =>
      validateRequirement(`${at}.matchExpressions[${index}]`, requirement),
    ),
    ...(term.matchFields ?? []).flatMap((requirement, index) =>
      validateFieldRequirement(`${at}.matchFields[${index}]`, requirement),
    ),
  ];
}

function validateRequirement(
  at: string,
  { key, operator, values = [] }: NodeSelectorRequirement,
): FieldError[] {
  const errors = checked(`${at}.key`, key, qualifiedNameProblem);
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0)
      errors.push(
        forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1)
      errors.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
  return errors;
}

function validateFieldRequirement(
  at: string,
  { key, operator, values = [] }: NodeSelectorRequirement,
): FieldError[] {
  const errors: FieldError[] = [];
  if (operator !== 'In' && operator !== 'NotIn')
    errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
  else if (values.length !== 1)
    errors.push(
      required(
        `${at}.values`,
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      ),
    );
  if (key !== 'metadata.name') errors.push(invalid(`${at}.key`, key, 'not a valid field selector key'));
  return errors;
}
