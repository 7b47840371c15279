// Proves the order in which placement decides, and that every 'no' names what it comes from.
import {
  decidePlacement,
  type PlacementNode,
  type PlacementRules,
  placementRules,
} from '@fleetset/scheduler-core/placement';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from './property.ts';

const nodeWith = (taints: Taint[] = [], labels = {}): PlacementNode => ({
  name: 'edge-1',
  labels: { 'kubernetes.io/os': 'linux', disk: 'ssd', ...labels },
  taints,
});
const NO_EXECUTE = { key: 'gpu', value: 'yes', effect: 'NoExecute' };
const NO_SCHEDULE = { key: 'role', effect: 'NoSchedule' };
const PREFER = { key: 'slow', effect: 'PreferNoSchedule' };
const inZoneA: PlacementRules['requiredAffinity'] = {
  nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
};

describe('rules 1 and 2: the decision', () => {
  test.each<[string, PlacementRules, PlacementNode, string, string[]]>([
    ['nothing asked, nothing forbidden', {}, nodeWith(), 'Run', ['Eligible']],
    ['the template names another node', { nodeName: 'edge-2' }, nodeWith(), 'Leave', ['NodeName']],
    ['the template names this node', { nodeName: 'edge-1' }, nodeWith(), 'Run', ['Eligible']],
    ['a label has another value', { nodeSelector: { disk: 'hdd' } }, nodeWith(), 'Leave', ['NodeSelector']],
    ['a label is absent', { nodeSelector: { zone: 'a' } }, nodeWith(), 'Leave', ['NodeSelector']],
    ['an empty value wants the label', { nodeSelector: { zone: '' } }, nodeWith(), 'Leave', ['NodeSelector']],
    ['all labels match', { nodeSelector: { disk: 'ssd' } }, nodeWith(), 'Run', ['Eligible']],
    [
      'an inherited name is no label',
      { nodeSelector: { toString: 'x' } },
      nodeWith(),
      'Leave',
      ['NodeSelector'],
    ],
    ['affinity does not match', { requiredAffinity: inZoneA }, nodeWith(), 'Leave', ['NodeAffinity']],
    ['affinity matches', { requiredAffinity: inZoneA }, nodeWith([], { zone: 'a' }), 'Run', ['Eligible']],
    [
      'rule 11: selector and affinity both count',
      { requiredAffinity: inZoneA, nodeSelector: { disk: 'hdd' } },
      nodeWith([], { zone: 'a' }),
      'Leave',
      ['NodeSelector'],
    ],
    [
      'rule 11: affinity with no terms matches nothing',
      { requiredAffinity: { nodeSelectorTerms: [] } },
      nodeWith(),
      'Leave',
      ['NodeAffinity'],
    ],
    ['NoExecute is not tolerated', {}, nodeWith([NO_EXECUTE]), 'Leave', ['TaintNoExecute']],
    [
      'NoSchedule is not tolerated: what is here may stay',
      {},
      nodeWith([NO_SCHEDULE]),
      'Keep',
      ['TaintNoSchedule'],
    ],
    ['rule 3: PreferNoSchedule is never looked at', {}, nodeWith([PREFER]), 'Run', ['Eligible']],
    [
      'a toleration lets it in',
      { tolerations: [{ key: 'role', operator: 'Exists' }] },
      nodeWith([NO_SCHEDULE]),
      'Run',
      ['Eligible'],
    ],
    [
      'the strictest decides and all are named',
      { nodeSelector: { disk: 'hdd' } },
      nodeWith([NO_SCHEDULE, NO_EXECUTE]),
      'Leave',
      ['NodeSelector', 'TaintNoExecute', 'TaintNoSchedule'],
    ],
    [
      'rule 61: a cordoned node still gets its pod',
      {},
      nodeWith([{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]),
      'Run',
      ['Eligible'],
    ],
    [
      'rule 5: a really NotReady node stops being desired, and its pod stays',
      {},
      nodeWith([
        { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
        { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
      ]),
      'Keep',
      ['TaintNoSchedule'],
    ],
    [
      'rule 4: network-unavailable keeps out a pod with a network of its own',
      {},
      nodeWith([{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }]),
      'Keep',
      ['TaintNoSchedule'],
    ],
    [
      'rule 4: and lets in one on the host network',
      { hostNetwork: true },
      nodeWith([{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }]),
      'Run',
      ['Eligible'],
    ],
  ])('%s', (_sentence, rules, node, decision, codes) => {
    const placement = decidePlacement(rules, node);
    expect(placement.decision).toBe(decision);
    expect(placement.reasons.map(({ code }) => code)).toEqual(codes);
  });
});

describe('every reason names what it comes from', () => {
  test.each<[PlacementRules, PlacementNode, string]>([
    [{ nodeName: 'edge-2' }, nodeWith(), 'the template names node edge-2, this is edge-1'],
    [{ nodeSelector: { disk: 'hdd' } }, nodeWith(), 'nodeSelector wants disk=hdd, the node has disk=ssd'],
    [{ nodeSelector: { zone: 'a' } }, nodeWith(), 'nodeSelector wants zone=a, the node has no label zone'],
    [{ requiredAffinity: inZoneA }, nodeWith(), 'required node affinity does not match: zone In (a)'],
    [
      { requiredAffinity: { nodeSelectorTerms: [] } },
      nodeWith(),
      'required node affinity does not match: (no terms: matches nothing)',
    ],
    [{}, nodeWith([NO_EXECUTE]), 'taint gpu=yes:NoExecute is not tolerated'],
    [
      {},
      nodeWith([NO_SCHEDULE]),
      'taint role:NoSchedule is not tolerated: no new pod here, one that runs may stay',
    ],
    [{}, nodeWith(), 'no taint forbids it'],
    [{ nodeSelector: { disk: 'ssd' } }, nodeWith(), 'nodeSelector disk=ssd matches, no taint forbids it'],
    [
      { requiredAffinity: inZoneA },
      nodeWith([], { zone: 'a' }),
      'required node affinity matches, no taint forbids it',
    ],
  ])('%j', (rules, node, message) => {
    expect(decidePlacement(rules, node).reasons[0]?.message).toBe(message);
  });
});

describe('the rules of a template', () => {
  test('are what of it decides where it runs, and nothing else', () => {
    const tolerations = [{ operator: 'Exists' }];
    const rules = placementRules({
      containers: [{ name: 'a' }],
      nodeName: 'n',
      nodeSelector: { a: 'b' },
      tolerations,
      hostNetwork: true,
      terminationGracePeriodSeconds: 3,
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: inZoneA,
          preferredDuringSchedulingIgnoredDuringExecution: [],
        },
      },
    });
    const expected = {
      nodeName: 'n',
      nodeSelector: { a: 'b' },
      requiredAffinity: inZoneA,
      tolerations,
      hostNetwork: true,
    };
    expect(rules).toEqual(expected);
  });
  test('are empty for a template that asks for nothing; rule 3: preferences do not count', () => {
    const preferred = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: {} }] };
    expect(placementRules({ containers: [], affinity: { nodeAffinity: preferred } })).toEqual({});
  });
});

describe('taints only ever take away', () => {
  const key = fc.constantFrom('a', 'b', 'node.kubernetes.io/unschedulable');
  const effect = fc.constantFrom('NoSchedule', 'NoExecute', 'PreferNoSchedule');
  const value = fc.constantFrom('', 'x');
  const taint = fc.record({ key, value, effect });
  const toleration = fc.record(
    { key, operator: fc.constantFrom('Exists', 'Equal', ''), value, effect },
    { requiredKeys: [] },
  );
  const RANK = { Run: 2, Keep: 1, Leave: 0 };
  const monotone = (decide: typeof decidePlacement) =>
    fc.property(fc.array(taint), taint, fc.array(toleration), (taints, more, tolerations) => {
      const before = decide({ tolerations }, nodeWith(taints)).decision;
      const after = decide({ tolerations }, nodeWith([...taints, more])).decision;
      expect(RANK[after]).toBeLessThanOrEqual(RANK[before]);
      expect(after).toBe(decide({ tolerations }, nodeWith([more, ...taints])).decision);
      expect(
        decide({ tolerations: [...tolerations, { operator: 'Exists' }] }, nodeWith(taints)).decision,
      ).toBe('Run');
    });
  test('one more taint never lets a pod in, their order means nothing, and Exists covers all', () => {
    holds(monotone(decidePlacement), 300);
  });
  test('a mutant that looks at the first taint alone is caught', () => {
    isCaught(
      monotone((rules, node) => decidePlacement(rules, { ...node, taints: node.taints.slice(0, 1) })),
      300,
    );
  });
});
