// The placement rules of each DaemonSet: made once from each stored template, and compared by what they say.
import { canonicalJson } from '@fleetset/scheduler-core/canonical-json';
import { type PlacementRules, placementRules } from '@fleetset/scheduler-core/placement';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { RulesTold } from '../fleet/fleet.ts';
import type { Store } from '../store/store.ts';
import { remembered } from './remembered.ts';

const NO_SPEC: PodSpec = { containers: [] };
const made = new WeakMap<PodSpec, PlacementRules>();

export const rulesOf = ({ spec }: DaemonSet): PlacementRules => rulesOfPod(spec?.template?.spec);

export const rulesOfPod = (pod: PodSpec = NO_SPEC): PlacementRules =>
  remembered(made, pod, () => placementRules(pod));

/** Of every DaemonSet, as nodes are told of them. */
export const rulesBySet = (store: Store): RulesTold =>
  new Map(
    [...store.list('apps/daemonsets')].map(({ value }) => {
      const set = value as unknown as DaemonSet;
      return [set.metadata?.uid ?? '', rulesOf(set)];
    }),
  );

const texts = new WeakMap<PlacementRules, string>();
const textOf = (rules: PlacementRules) => remembered(texts, rules, () => canonicalJson(rules));

export const isSameRules = (a: PlacementRules | undefined, b: PlacementRules): boolean =>
  a === b || (a !== undefined && textOf(a) === textOf(b));
