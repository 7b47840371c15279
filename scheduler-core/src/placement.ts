// Whether a DaemonSet's pod belongs on a node, and why (rules 1 to 15). Two answers: may a new pod be made
// here (Run), and may one that is here stay (Keep).
import { formatTerm, matchesNodeSelector, type NodeIdentity } from './node-affinity.ts';
import type { PodSpec } from './schema/pod.ts';
import type { Affinity, NodeSelector, Taint, Toleration } from './schema/scheduling.ts';
import { daemonTolerations, formatTaint, untolerated } from './taint-toleration.ts';

/** What a node is, as far as placement looks. */
export interface PlacementNode extends NodeIdentity {
  readonly taints: readonly Taint[];
}

/** What of a pod template decides where it runs. */
export interface PlacementRules {
  readonly nodeName?: string;
  readonly nodeSelector?: { readonly [key: string]: string };
  readonly requiredAffinity?: NodeSelector;
  readonly tolerations?: readonly Toleration[];
  readonly hostNetwork?: boolean;
}

export type PlacementDecision = 'Run' | 'Keep' | 'Leave';

export interface PlacementReason {
  readonly code:
    | 'NodeName'
    | 'NodeSelector'
    | 'NodeAffinity'
    | 'TaintNoExecute'
    | 'TaintNoSchedule'
    | 'Eligible';
  readonly message: string;
}

export interface Placement {
  readonly decision: PlacementDecision;
  readonly reasons: readonly PlacementReason[];
}

/** The placement rules of a pod template. */
export function placementRules(spec: PodSpec): PlacementRules {
  const required = (spec.affinity as Affinity | undefined)?.nodeAffinity
    ?.requiredDuringSchedulingIgnoredDuringExecution;
  return {
    ...(spec.nodeName ? { nodeName: spec.nodeName } : {}),
    ...(spec.nodeSelector ? { nodeSelector: spec.nodeSelector } : {}),
    ...(required ? { requiredAffinity: required } : {}),
    ...(spec.tolerations ? { tolerations: spec.tolerations } : {}),
    ...(spec.hostNetwork ? { hostNetwork: true } : {}),
  };
}

/** Every rule that forbids is named; the strictest decides. */
export function decidePlacement(rules: PlacementRules, node: PlacementNode): Placement {
  const tolerations = daemonTolerations(rules.tolerations, rules.hostNetwork ?? false);
  const leave = [
    ...nodeNameReasons(rules, node),
    ...nodeSelectorReasons(rules, node),
    ...affinityReasons(rules, node),
    ...taintReasons('TaintNoExecute', untolerated(node.taints, tolerations, 'NoExecute')),
  ];
  const keep = taintReasons('TaintNoSchedule', untolerated(node.taints, tolerations, 'NoSchedule'));
  if (leave.length > 0) return { decision: 'Leave', reasons: [...leave, ...keep] };
  if (keep.length > 0) return { decision: 'Keep', reasons: keep };
  return { decision: 'Run', reasons: [{ code: 'Eligible', message: eligibleBecause(rules) }] };
}

function nodeNameReasons(rules: PlacementRules, node: PlacementNode): PlacementReason[] {
  if (!rules.nodeName || rules.nodeName === node.name) return [];
  return [{ code: 'NodeName', message: `the template names node ${rules.nodeName}, this is ${node.name}` }];
}

function nodeSelectorReasons(rules: PlacementRules, node: PlacementNode): PlacementReason[] {
  return Object.entries(rules.nodeSelector ?? {})
    .filter(([key, value]) => !Object.hasOwn(node.labels, key) || node.labels[key] !== value)
    .map(([key, value]) => ({
      code: 'NodeSelector' as const,
      message: Object.hasOwn(node.labels, key)
        ? `nodeSelector wants ${key}=${value}, the node has ${key}=${node.labels[key]}`
        : `nodeSelector wants ${key}=${value}, the node has no label ${key}`,
    }));
}

function affinityReasons(rules: PlacementRules, node: PlacementNode): PlacementReason[] {
  const required = rules.requiredAffinity;
  if (!required || matchesNodeSelector(required, node)) return [];
  const terms = required.nodeSelectorTerms.map(formatTerm).join('; or ') || '(no terms: matches nothing)';
  return [{ code: 'NodeAffinity', message: `required node affinity does not match: ${terms}` }];
}

const taintReasons = (code: PlacementReason['code'], taints: readonly Taint[]): PlacementReason[] =>
  taints.map((taint) => ({
    code,
    message:
      code === 'TaintNoExecute'
        ? `taint ${formatTaint(taint)} is not tolerated`
        : `taint ${formatTaint(taint)} is not tolerated: no new pod here, one that runs may stay`,
  }));

function eligibleBecause(rules: PlacementRules): string {
  const wanted = Object.entries(rules.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`);
  const parts = [
    ...(wanted.length > 0 ? [`nodeSelector ${wanted.join(',')} matches`] : []),
    ...(rules.requiredAffinity ? ['required node affinity matches'] : []),
    'no taint forbids it',
  ];
  return parts.join(', ');
}
