// The ControllerRevisions of a DaemonSet (rules 50 to 54): which one its template is, what to write, what to drop.
import { sameJson } from './canonical-json.ts';
import type { ControllerRevision, DaemonSet } from './schema/daemon-set.ts';
import type { PodTemplateSpec } from './schema/pod.ts';
import { templateHash } from './template-hash.ts';

export const REVISION_LABEL = 'controller-revision-hash';

export interface HistoryPlan {
  /** The revision of the template as it is now, as it should be stored. */
  readonly current: ControllerRevision;
  /** The controller-revision-hash of `current`. */
  readonly hash: string;
  readonly write: 'create' | 'renumber' | 'nothing';
  readonly remove: readonly ControllerRevision[];
  /** Differs from the DaemonSet's when another template had the same hash. */
  readonly collisionCount: number;
}

/**
 * `inUse`: hashes that some pod or grant still carries; their revisions are never dropped. `named`: what has a name
 * that a new revision could get, whosever it is.
 */
export function planHistory(
  daemonSet: DaemonSet,
  revisions: readonly ControllerRevision[],
  inUse: Pick<ReadonlySet<string>, 'has'>,
  named: (name: string) => ControllerRevision | undefined = () => undefined,
): HistoryPlan {
  const sorted = [...revisions].sort(byNumberThenName);
  const data = revisionData(daemonSet.spec?.template ?? {});
  const same = sorted.filter((revision) => sameJson(revision.data, data));
  const others = sorted.filter((revision) => !same.includes(revision));
  const newest = others.at(-1)?.revision ?? 0;
  const kept = same.pop();
  if (!kept) return planNewRevision(daemonSet, sorted, data, newest + 1, inUse, named);
  const outdated = kept.revision <= newest;
  const current = outdated ? { ...kept, revision: newest + 1 } : kept;
  // Rule 54, but for pods: those of a twin keep it until they are replaced in their turn.
  const twins = same.filter((revision) => !inUse.has(revisionHash(revision)));
  return {
    current,
    hash: revisionHash(current),
    write: outdated ? 'renumber' : 'nothing',
    remove: [...twins, ...expired(others, daemonSet, inUse)],
    collisionCount: daemonSet.status?.collisionCount ?? 0,
  };
}

function planNewRevision(
  daemonSet: DaemonSet,
  sorted: readonly ControllerRevision[],
  data: unknown,
  number: number,
  inUse: Pick<ReadonlySet<string>, 'has'>,
  named: (name: string) => ControllerRevision | undefined,
): HistoryPlan {
  const template = daemonSet.spec?.template ?? {};
  const own = new Map(sorted.map((revision) => [revision.metadata?.name, revision]));
  const isTaken = (name: string) => {
    const there = own.get(name) ?? named(name);
    return there !== undefined && !sameJson(there.data, data);
  };
  let collisionCount = daemonSet.status?.collisionCount ?? 0;
  let hash = templateHash(template, collisionCount);
  while (isTaken(`${daemonSet.metadata?.name}-${hash}`)) {
    collisionCount += 1;
    hash = templateHash(template, collisionCount);
  }
  return {
    current: newRevision(daemonSet, template, data, number, hash),
    hash,
    write: 'create',
    remove: expired(sorted, daemonSet, inUse),
    collisionCount,
  };
}

function newRevision(
  daemonSet: DaemonSet,
  template: PodTemplateSpec,
  data: unknown,
  revision: number,
  hash: string,
): ControllerRevision {
  const { name = '', namespace = '', uid = '', annotations } = daemonSet.metadata ?? {};
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...template.metadata?.labels, [REVISION_LABEL]: hash },
      ...(annotations ? { annotations } : {}),
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'DaemonSet', name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    data,
    revision,
  };
}

/** Oldest first beyond the limit, which counts the revisions that are not current. */
function expired(
  others: readonly ControllerRevision[],
  daemonSet: DaemonSet,
  inUse: Pick<ReadonlySet<string>, 'has'>,
): ControllerRevision[] {
  const limit = daemonSet.spec?.revisionHistoryLimit ?? 10;
  const excess = others.length - limit;
  if (excess <= 0) return [];
  return others.filter((revision) => !inUse.has(revisionHash(revision))).slice(0, excess);
}

/** What a revision keeps: enough to be a strategic merge patch that brings the template back. */
export const revisionData = (template: PodTemplateSpec): unknown => ({
  spec: { template: { ...template, $patch: 'replace' } },
});

/** The template a revision keeps. */
export function revisionTemplate(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined;
  const { $patch, ...template } = data?.spec?.template ?? {};
  return template;
}

export const revisionHash = (revision: ControllerRevision): string =>
  revision.metadata?.labels?.[REVISION_LABEL] ?? '';

const byNumberThenName = (a: ControllerRevision, b: ControllerRevision): number =>
  a.revision - b.revision || ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1);
