// The controls that the Pod Security Standard "restricted" has beyond "baseline", in Kubernetes' order.
import type { PodTemplateSpec } from '../schema/pod.ts';
import {
  addedCapabilities,
  hostPathVolumes,
  openSeccomp,
  procMount,
  relaxed,
  seccompProfile,
  unmaskedProc,
} from './baseline.ts';
import {
  type Control,
  containersOf,
  isWindows,
  namesOf,
  plural,
  quoted,
  settersOf,
  sorted,
  specOf,
  type Violation,
} from './control.ts';

const WINDOWS_SINCE = 25;
/** What says nothing about a Windows pod, as newer versions see it. */
const onLinux =
  (check: Control['check']): Control['check'] =>
  (template, minor) =>
    minor >= WINDOWS_SINCE && isWindows(specOf(template)) ? undefined : check(template, minor);

function escalation(template: PodTemplateSpec): Violation | undefined {
  const bad = containersOf(specOf(template)).filter(
    ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  );
  return bad.length === 0
    ? undefined
    : {
        reason: 'allowPrivilegeEscalation != false',
        detail: `${namesOf(bad)} must set securityContext.allowPrivilegeEscalation=false`,
      };
}

function capabilities(template: PodTemplateSpec): Violation | undefined {
  const all = containersOf(specOf(template));
  const keeping = all.filter(({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const added = ({ securityContext }: (typeof all)[number]) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const adding = all.filter((container) => added(container).length > 0);
  const details = [
    ...(keeping.length > 0 ? [`${namesOf(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [
          `${namesOf(adding)} must not include ${quoted(sorted(adding.flatMap(added)))} in securityContext.capabilities.add`,
        ]
      : []),
  ];
  return details.length === 0
    ? undefined
    : { reason: 'unrestricted capabilities', detail: details.join('; ') };
}

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

function volumes(template: PodTemplateSpec): Violation | undefined {
  const typesOf = (volume: object) => Object.keys(volume).filter((field) => field !== 'name');
  // One without a source is an emptyDir.
  const isBad = (volume: object) =>
    typesOf(volume).length > 0 && !typesOf(volume).some((type) => VOLUMES.includes(type));
  const bad = (specOf(template).volumes ?? []).filter(isBad);
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => typesOf(volume)[0] ?? ''));
  return {
    reason: 'restricted volume types',
    detail: [
      plural('volume', 'volumes', bad.length),
      quoted(bad.map(({ name }) => name)),
      plural('uses', 'use', bad.length),
      plural('restricted volume type', 'restricted volume types', types.length),
      quoted(types),
    ].join(' '),
  };
}

function nonRoot(template: PodTemplateSpec): Violation | undefined {
  const reason = 'runAsNonRoot != true';
  const spec = specOf(template);
  const own = spec.securityContext?.runAsNonRoot;
  const all = containersOf(spec);
  const setters = settersOf(
    own === false,
    all.filter(({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  if (setters !== undefined)
    return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  const silent = own ? [] : all.filter(({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  return silent.length === 0
    ? undefined
    : { reason, detail: `pod or ${namesOf(silent)} must set securityContext.runAsNonRoot=true` };
}

function root(template: PodTemplateSpec): Violation | undefined {
  const spec = specOf(template);
  const setters = settersOf(
    spec.securityContext?.runAsUser === 0,
    containersOf(spec).filter(({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return setters === undefined
    ? undefined
    : { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
}

function seccomp(template: PodTemplateSpec): Violation | undefined {
  const open = openSeccomp(template);
  if (open) return open;
  const spec = specOf(template);
  const silent = spec.securityContext?.seccompProfile
    ? []
    : containersOf(spec).filter(({ securityContext }) => !securityContext?.seccompProfile);
  return silent.length === 0
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `pod or ${namesOf(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      };
}

export const RESTRICTED: readonly Control[] = [
  { since: 8, check: onLinux(escalation) },
  { since: 22, replaces: addedCapabilities, check: onLinux(capabilities) },
  { since: 35, replaces: procMount, check: unmaskedProc },
  { since: 0, replaces: hostPathVolumes, check: volumes },
  { since: 0, check: relaxed(nonRoot) },
  { since: 23, check: relaxed(root) },
  { since: 19, replaces: seccompProfile, check: onLinux(seccomp) },
];
