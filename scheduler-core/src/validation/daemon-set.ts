// A whole DaemonSet, as Kubernetes validates it (rules 67 to 83): every error at once, each with its path.
import { canonicalJson } from '../canonical-json.ts';
import { matchesSelector } from '../label-selector.ts';
import { DEVICES_ANNOTATION, deviceProblems } from '../node/pod-devices.ts';
import type { DaemonSet, DaemonSetSpec } from '../schema/daemon-set.ts';
import type { PodSpec, PodTemplateSpec } from '../schema/pod.ts';
import { validateContainers } from './containers.ts';
import {
  atLeastZero,
  checked,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import { validateInitContainers } from './init-containers.ts';
import { validateStopSignal } from './lifecycle.ts';
import { validateAnnotations, validateLabels, validateMetadata, validateSelector } from './metadata.ts';
import { dnsSubdomainProblem } from './names.ts';
import { validatePodNames } from './pod-names.ts';
import { validatePodSecurity, validateProcMount } from './pod-security.ts';
import { validateNodeAffinity, validateTolerations } from './scheduling.ts';
import { validateVolumes } from './volumes.ts';

export function validateDaemonSet(daemonSet: DaemonSet): FieldError[] {
  const { metadata = {}, spec } = daemonSet;
  return [...validateMetadata(metadata, true), ...(spec ? validateSpec(spec) : [required('spec')])];
}

export function validateDaemonSetUpdate(daemonSet: DaemonSet, old: DaemonSet): FieldError[] {
  const selector = daemonSet.spec?.selector;
  return [
    ...validateDaemonSet(daemonSet),
    ...(canonicalJson(selector) === canonicalJson(old.spec?.selector)
      ? []
      : [invalid('spec.selector', selector ?? {}, 'field is immutable')]),
  ];
}

function validateSpec(spec: DaemonSetSpec): FieldError[] {
  return [
    ...validateSpecSelector(spec),
    ...validateTemplate('spec.template', spec.template),
    ...validateStrategy('spec.updateStrategy', spec.updateStrategy),
    ...atLeastZero('spec.minReadySeconds', spec.minReadySeconds),
    ...atLeastZero('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
}

function validateSpecSelector({ selector, template }: DaemonSetSpec): FieldError[] {
  const labels = template?.metadata?.labels ?? {};
  const mismatch = invalid(
    'spec.template.metadata.labels',
    labels,
    '`selector` does not match template `labels`',
  );
  if (!selector) return [mismatch];
  const unreadable = validateSelector('spec.selector', selector);
  if (unreadable.length > 0) return unreadable;
  const empty = !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length;
  if (empty) return [invalid('spec.selector', selector, 'empty selector is invalid for daemonset')];
  return matchesSelector(selector, labels) ? [] : [mismatch];
}

function validateTemplate(at: string, template: PodTemplateSpec | undefined): FieldError[] {
  if (!template?.spec) return [required(`${at}.spec.containers`)];
  return [
    // Rule 73: Kubernetes leaves "metadata" out of these two paths.
    ...validateLabels(`${at}.labels`, template.metadata?.labels),
    ...validateAnnotations(`${at}.annotations`, template.metadata?.annotations),
    ...deviceProblems(template.metadata?.annotations).map((text) =>
      invalid(
        `${at}.annotations[${DEVICES_ANNOTATION}]`,
        text,
        'must be a list of devices as `docker run --device` takes them, with commas between',
      ),
    ),
    ...validatePodSpec(`${at}.spec`, template.spec),
  ];
}

function validatePodSpec(at: string, spec: PodSpec): FieldError[] {
  const volumes = spec.volumes ?? [];
  const names = new Set(volumes.map(({ name }) => name));
  return [
    ...validateVolumes(`${at}.volumes`, volumes),
    ...validateContainers(
      `${at}.containers`,
      spec.containers ?? [],
      names,
      spec.hostNetwork ?? false,
      spec.terminationGracePeriodSeconds,
    ),
    ...validateInitContainers(`${at}.initContainers`, { ...spec, containers: spec.containers ?? [] }, names),
    ...(spec.restartPolicy === undefined || spec.restartPolicy === 'Always'
      ? []
      : [notSupported(`${at}.restartPolicy`, spec.restartPolicy, ['Always'])]),
    ...(spec.activeDeadlineSeconds === undefined
      ? []
      : [forbidden(`${at}.activeDeadlineSeconds`, 'activeDeadlineSeconds in DaemonSet is not Supported')]),
    ...(spec.ephemeralContainers?.length
      ? [forbidden(`${at}.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
    ...atLeastZero(`${at}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
    ...validateLabels(`${at}.nodeSelector`, spec.nodeSelector),
    ...(spec.nodeName ? checked(`${at}.nodeName`, spec.nodeName, dnsSubdomainProblem) : []),
    ...(spec.serviceAccountName
      ? checked(`${at}.serviceAccountName`, spec.serviceAccountName, dnsSubdomainProblem)
      : []),
    ...validateTolerations(`${at}.tolerations`, spec.tolerations ?? []),
    ...validateNodeAffinity(`${at}.affinity`, spec.affinity),
    ...validateOs(`${at}.os.name`, spec.os),
    ...validatePodNames(at, spec),
    ...validatePodSecurity(at, spec),
    ...validateForSystem(at, spec),
  ];
}

function validateOs(at: string, os: PodSpec['os']): FieldError[] {
  if (!os) return [];
  if (!os.name) return [required(at)];
  const names = ['linux', 'windows'];
  return names.includes(os.name) ? [] : [notSupported(at, os.name, names)];
}

/** What a container may say depends on what its pod says. */
function validateForSystem(at: string, spec: PodSpec): FieldError[] {
  const hostUsers = spec.hostUsers !== false;
  return (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap(({ securityContext, lifecycle }, index) => {
      const field = `${at}.${list}[${index}]`;
      return [
        ...validateProcMount(`${field}.securityContext.procMount`, securityContext?.procMount, hostUsers),
        ...validateStopSignal(`${field}.lifecycle.stopSignal`, lifecycle?.stopSignal, spec.os?.name),
      ];
    }),
  );
}

function validateStrategy(at: string, strategy: DaemonSetSpec['updateStrategy']): FieldError[] {
  switch (strategy?.type) {
    case 'OnDelete':
      return [];
    case 'RollingUpdate':
      return strategy.rollingUpdate
        ? validateRollingUpdate(`${at}.rollingUpdate`, strategy.rollingUpdate)
        : [required(`${at}.rollingUpdate`)];
    default:
      return [notSupported(at, strategy?.type ?? '', ['RollingUpdate', 'OnDelete'])];
  }
}

type RollingUpdate = NonNullable<NonNullable<DaemonSetSpec['updateStrategy']>['rollingUpdate']>;

/** Rules 68 and 69. What is malformed still counts as a number, as far as it is one. */
function validateRollingUpdate(
  at: string,
  { maxUnavailable = 1, maxSurge = 0 }: RollingUpdate,
): FieldError[] {
  const values = [
    { field: `${at}.maxUnavailable`, value: maxUnavailable },
    { field: `${at}.maxSurge`, value: maxSurge },
  ];
  return [
    ...values.flatMap(({ field, value }) => validateForm(field, value)),
    ...values
      .filter(({ value }) => typeof value === 'string' && PERCENT.test(value) && numberOf(value) > 100)
      .map(({ field, value }) => invalid(field, value, 'must not be greater than 100%')),
    ...validateChoice(at, maxUnavailable, maxSurge),
  ];
}

const PERCENT = /^\d+%$/;

function validateForm(field: string, value: number | string): FieldError[] {
  if (typeof value === 'number') return atLeastZero(field, value);
  return PERCENT.test(value)
    ? []
    : [
        invalid(
          field,
          value,
          "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      ];
}

function validateChoice(
  at: string,
  maxUnavailable: number | string,
  maxSurge: number | string,
): FieldError[] {
  const unavailable = numberOf(maxUnavailable) !== 0;
  const surge = numberOf(maxSurge) !== 0;
  if (unavailable && surge)
    return [invalid(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero')];
  if (!unavailable && !surge) return [required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')];
  return [];
}

/** Of a count or a percentage; what is neither is 0. */
const numberOf = (value: number | string): number =>
  typeof value === 'number' || /^([+-]?\d+|\d+%)$/.test(value) ? Number.parseInt(String(value), 10) : 0;
