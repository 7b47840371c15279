// What the status of a namespace that ends says of it, in Kubernetes' words.
import type { Namespace } from '@fleetset/scheduler-core/schema/plain';
import type { Kind, KubeObject } from '../kinds/kind.ts';

/** What a pass found that it could not remove. */
export interface Remains {
  readonly count: number;
  /** Objects by their kind, as "pods." or "daemonsets.apps". */
  readonly resources: ReadonlyMap<string, number>;
  /** Objects by the finalizers that hold them. */
  readonly finalizers: ReadonlyMap<string, number>;
}

export function remainsOf(left: readonly { readonly kind: Kind; readonly object: KubeObject }[]): Remains {
  return {
    count: left.length,
    resources: counted(left.map(({ kind: { plural, group } }) => `${plural}.${group}`)),
    finalizers: counted(left.flatMap(({ object }) => object.metadata.finalizers ?? [])),
  };
}

function counted(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

type Condition = NonNullable<NonNullable<Namespace['status']>['conditions']>[number];
type Finding = readonly [type: string, status: 'True' | 'False', reason: string, message: string];

/** Those that others have set stay, and so do the times of those that say what they said before. */
export function withRemains(
  before: readonly Condition[] = [],
  remains: Remains,
  nowText: string,
): Condition[] {
  const findings = findingsOf(remains);
  const others = before.filter(({ type }) => !findings.some(([ours]) => ours === type));
  const own = findings.map(([type, status, reason, message]) => {
    const old = before.find((condition) => condition.type === type);
    if (old?.status === status && old.reason === reason && old.message === message) return old;
    return { type, status, lastTransitionTime: nowText, reason, message };
  });
  return [...others, ...own];
}

/** The first three cannot come about here: a plane knows its kinds, and what cannot be written is tried again. */
const findingsOf = ({ resources, finalizers }: Remains): Finding[] => [
  [
    'NamespaceDeletionDiscoveryFailure',
    'False',
    'ResourcesDiscovered',
    'All resources successfully discovered',
  ],
  [
    'NamespaceDeletionGroupVersionParsingFailure',
    'False',
    'ParsedGroupVersions',
    'All legacy kube types successfully parsed',
  ],
  [
    'NamespaceDeletionContentFailure',
    'False',
    'ContentDeleted',
    'All content successfully deleted, may be waiting on finalization',
  ],
  resources.size > 0
    ? [
        'NamespaceContentRemaining',
        'True',
        'SomeResourcesRemain',
        `Some resources are remaining: ${told(resources, 'has')}`,
      ]
    : ['NamespaceContentRemaining', 'False', 'ContentRemoved', 'All content successfully removed'],
  finalizers.size > 0
    ? [
        'NamespaceFinalizersRemaining',
        'True',
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${told(finalizers, 'in')}`,
      ]
    : [
        'NamespaceFinalizersRemaining',
        'False',
        'ContentHasNoFinalizers',
        'All content-preserving finalizers finished',
      ],
];

const told = (counts: ReadonlyMap<string, number>, word: string): string =>
  [...counts]
    .map(([name, count]) => `${name} ${word} ${count} resource instances`)
    .sort()
    .join(', ');
