// The defaults of a DaemonSet that depend on other fields (rules 67, 74, 75); the plain ones are in the schema.
import { applyDefaults } from './apply-defaults.ts';
import type { Container } from './container.ts';
import { type DaemonSet, daemonSet as daemonSetSchema } from './daemon-set.ts';
import type { PodSpec } from './pod.ts';
import type { Volume } from './volume.ts';

export function defaultDaemonSet(daemonSet: DaemonSet): DaemonSet {
  const filled = applyDefaults(daemonSetSchema, daemonSet) as DaemonSet;
  const { spec } = filled;
  if (!spec) return filled;
  const template = spec.template?.spec
    ? { ...spec.template, spec: defaultPodSpec(spec.template.spec) }
    : spec.template;
  return { ...filled, spec: { ...spec, template, updateStrategy: defaultStrategy(spec.updateStrategy) } };
}

type Strategy = NonNullable<DaemonSet['spec']>['updateStrategy'];

function defaultStrategy(strategy: Strategy): NonNullable<Strategy> {
  const type = strategy?.type || 'RollingUpdate';
  if (type !== 'RollingUpdate') return { ...strategy, type };
  return { ...strategy, type, rollingUpdate: { maxUnavailable: 1, maxSurge: 0, ...strategy?.rollingUpdate } };
}

function defaultPodSpec(spec: PodSpec): PodSpec {
  return {
    ...spec,
    containers: (spec.containers ?? []).map(defaultContainer),
    ...(spec.initContainers ? { initContainers: spec.initContainers.map(defaultContainer) } : {}),
    ...(spec.volumes ? { volumes: spec.volumes.map(defaultVolume) } : {}),
  };
}

const defaultContainer = (container: Container): Container => ({
  resources: {},
  ...container,
  imagePullPolicy: container.imagePullPolicy || defaultPullPolicy(container.image ?? ''),
});

/** A volume without a source is an emptyDir. */
const defaultVolume = (volume: Volume): Volume =>
  Object.keys(volume).some((key) => key !== 'name') ? volume : { ...volume, emptyDir: {} };

/** Rule 75: a tag of latest, or no tag and no digest, is pulled always. */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const [reference = '', digest] = image.split('@');
  const tag = /:([^/:]*)$/.exec(reference)?.[1];
  if (tag === 'latest') return 'Always';
  return tag === undefined && digest === undefined ? 'Always' : 'IfNotPresent';
}
