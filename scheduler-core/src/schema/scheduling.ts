// Where a pod may run: affinity, taints, tolerations.

import { labelSelector } from './meta.ts';
import {
  atomic,
  type Infer,
  int32,
  int64,
  list,
  map,
  object,
  oneOf,
  string,
  stringOrAbsent,
  time,
} from './schema.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;

export const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;

export const toleration = object(core('Toleration'), {
  key: string(),
  operator: string(),
  value: string(),
  effect: string(),
  tolerationSeconds: int64(),
});
export interface Toleration extends Infer<typeof toleration> {}

export const taint = object(
  core('Taint'),
  { key: string(), value: string(), effect: string(), timeAdded: time },
  ['key', 'effect'],
);
export interface Taint extends Infer<typeof taint> {}

const nodeSelectorRequirement = object(
  core('NodeSelectorRequirement'),
  {
    key: string(),
    operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
    values: list(string()),
  },
  ['key', 'operator'],
);
export interface NodeSelectorRequirement extends Infer<typeof nodeSelectorRequirement> {}

const nodeSelectorTerm = atomic(
  object(core('NodeSelectorTerm'), {
    matchExpressions: list(nodeSelectorRequirement),
    matchFields: list(nodeSelectorRequirement),
  }),
);
export interface NodeSelectorTerm extends Infer<typeof nodeSelectorTerm> {}

const nodeSelector = atomic(
  object(core('NodeSelector'), { nodeSelectorTerms: list(nodeSelectorTerm) }, ['nodeSelectorTerms']),
);
export interface NodeSelector extends Infer<typeof nodeSelector> {}

const preferredSchedulingTerm = object(
  core('PreferredSchedulingTerm'),
  { weight: int32(), preference: nodeSelectorTerm },
  ['weight', 'preference'],
);

const nodeAffinity = object(core('NodeAffinity'), {
  requiredDuringSchedulingIgnoredDuringExecution: nodeSelector,
  preferredDuringSchedulingIgnoredDuringExecution: list(preferredSchedulingTerm),
});
export interface NodeAffinity extends Infer<typeof nodeAffinity> {}

const podAffinityTerm = object(
  core('PodAffinityTerm'),
  {
    labelSelector,
    namespaces: list(string()),
    topologyKey: string(),
    namespaceSelector: labelSelector,
    matchLabelKeys: list(string()),
    mismatchLabelKeys: list(string()),
  },
  ['topologyKey'],
);
const weightedPodAffinityTerm = object(
  core('WeightedPodAffinityTerm'),
  { weight: int32(), podAffinityTerm },
  ['weight', 'podAffinityTerm'],
);
const podAffinityFields = {
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm),
  preferredDuringSchedulingIgnoredDuringExecution: list(weightedPodAffinityTerm),
};

export const affinity = object(core('Affinity'), {
  nodeAffinity,
  podAffinity: object(core('PodAffinity'), podAffinityFields),
  podAntiAffinity: object(core('PodAntiAffinity'), podAffinityFields),
});
export interface Affinity extends Infer<typeof affinity> {}

export const topologySpreadConstraint = object(
  core('TopologySpreadConstraint'),
  {
    maxSkew: int32(),
    topologyKey: string(),
    whenUnsatisfiable: string(),
    labelSelector,
    minDomains: int32(),
    nodeAffinityPolicy: stringOrAbsent,
    nodeTaintsPolicy: stringOrAbsent,
    matchLabelKeys: list(string()),
  },
  ['maxSkew', 'topologyKey', 'whenUnsatisfiable'],
);

export const nodeLabels = map(string());
