// Proves the history of a DaemonSet: which revision its template is, what is written, what is dropped (rules 50 to 54).
import {
  planHistory,
  REVISION_LABEL,
  revisionHash,
  revisionTemplate,
} from '@fleetset/scheduler-core/revision-history';
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { templateHash } from '@fleetset/scheduler-core/template-hash';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { edited, MINIMAL, readDaemonSet } from './manifest.ts';
import { holds, isCaught } from './property.ts';

const NONE: ReadonlySet<string> = new Set();
const withImage = (image: string, more: Parameters<typeof edited>[1] = []): DaemonSet =>
  readDaemonSet(edited(MINIMAL, [['main.image', image], ['metadata.uid', 'u1'], ...more]));
const namesOf = (revisions: readonly ControllerRevision[]) => revisions.map(({ metadata }) => metadata?.name);

/** What the store holds after a plan was carried out. */
function carriedOut(
  revisions: readonly ControllerRevision[],
  plan: ReturnType<typeof planHistory>,
): ControllerRevision[] {
  const name = plan.current.metadata?.name;
  const removed = new Set(namesOf(plan.remove));
  const kept = revisions.filter(({ metadata }) => metadata?.name !== name && !removed.has(metadata?.name));
  return [...kept, plan.current];
}

/** The history after these images, one update after the other. */
function historyOf(images: readonly string[], inUse = NONE, more: Parameters<typeof edited>[1] = []) {
  return images.reduce<readonly ControllerRevision[]>(
    (revisions, image) => carriedOut(revisions, planHistory(withImage(image, more), revisions, inUse)),
    [],
  );
}
const numbers = (revisions: readonly ControllerRevision[]) =>
  Object.fromEntries(
    revisions.map((revision) => [revisionTemplate(revision).spec?.containers[0]?.image, revision.revision]),
  );

describe('a template seen for the first time', () => {
  const daemonSet = withImage('web:1', [['metadata.annotations', { 'kubernetes.io/change-cause': 'first' }]]);
  const plan = planHistory(daemonSet, [], NONE);
  test('rule 50: makes a revision named for its hash, that keeps the template alone', () => {
    const hash = templateHash(daemonSet.spec?.template ?? {});
    expect(plan).toMatchObject({ write: 'create', hash, remove: [], collisionCount: 0 });
    expect(plan.current).toEqual({
      metadata: {
        name: `web-${hash}`,
        namespace: 'default',
        labels: { app: 'web', [REVISION_LABEL]: hash },
        annotations: { 'kubernetes.io/change-cause': 'first' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            name: 'web',
            uid: 'u1',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      data: { spec: { template: { ...daemonSet.spec?.template, $patch: 'replace' } } },
      revision: 1,
    });
  });
  test('and gives it back', () => {
    expect(revisionTemplate(plan.current)).toEqual(daemonSet.spec?.template);
    expect(revisionHash(plan.current)).toBe(plan.hash);
  });
  test('is not written again', () => {
    expect(planHistory(daemonSet, [plan.current], NONE)).toMatchObject({ write: 'nothing', remove: [] });
  });
  test.each<Parameters<typeof edited>[1]>([
    [['spec.minReadySeconds', 5]],
    [['spec.revisionHistoryLimit', 3]],
    [['spec.updateStrategy', { type: 'OnDelete' }]],
    [['metadata.labels', { a: 'b' }]],
  ])('rule 55: a change beside the template makes no revision: %j', (...edits) => {
    expect(planHistory(withImage('web:1', edits), [plan.current], NONE).write).toBe('nothing');
  });
});

describe('rule 51: returning to an old template', () => {
  test('takes up its revision, with the highest number', () => {
    const before = historyOf(['web:1', 'web:2', 'web:3']);
    const plan = planHistory(withImage('web:1'), before, NONE);
    expect(plan).toMatchObject({
      write: 'renumber',
      remove: [],
      hash: templateHash(withImage('web:1').spec?.template ?? {}),
    });
    expect(numbers(carriedOut(before, plan))).toEqual({ 'web:1': 4, 'web:2': 2, 'web:3': 3 });
  });
  test('and forth', () => {
    expect(numbers(historyOf(['web:1', 'web:2', 'web:1', 'web:2']))).toEqual({ 'web:1': 3, 'web:2': 4 });
  });
  test('goes by what the revision keeps, not by its name', () => {
    const [kept] = historyOf(['web:1']);
    const renamed = {
      ...kept,
      metadata: { ...kept?.metadata, name: 'web-other', labels: { [REVISION_LABEL]: 'other' } },
    };
    const plan = planHistory(withImage('web:1'), [renamed as ControllerRevision], NONE);
    expect(plan).toMatchObject({ write: 'nothing', hash: 'other' });
  });
  test('is also done when another has the same number', () => {
    const both = historyOf(['web:1', 'web:2']).map((revision) => ({ ...revision, revision: 2 }));
    expect(planHistory(withImage('web:1'), both, NONE)).toMatchObject({
      write: 'renumber',
      current: { revision: 3 },
    });
  });
});

describe('rule 53: another template of the same name', () => {
  const hash = planHistory(withImage('web:1'), [], NONE).hash;
  const taken = (collisions: number): ControllerRevision => {
    const [other] = historyOf([`other:${collisions}`]);
    const name = `web-${templateHash(withImage('web:1').spec?.template ?? {}, collisions)}`;
    return { ...other, metadata: { ...other?.metadata, name }, revision: 1 } as ControllerRevision;
  };
  test('makes another hash, and the collision is counted', () => {
    const plan = planHistory(withImage('web:1'), [taken(0)], NONE);
    expect(plan).toMatchObject({ write: 'create', collisionCount: 1 });
    expect(plan.hash).not.toBe(hash);
  });
  test('also when it is nobody’s, left behind by a DaemonSet of the same name', () => {
    const plan = planHistory(withImage('web:1'), [], NONE, (name) =>
      name === taken(0).metadata?.name ? taken(0) : undefined,
    );
    expect(plan).toMatchObject({ write: 'create', collisionCount: 1 });
  });
  test('as often as there are collisions', () => {
    expect(planHistory(withImage('web:1'), [taken(0), taken(1), taken(2)], NONE).collisionCount).toBe(3);
  });
  test('is remembered: the count only grows (rule 29)', () => {
    const status = {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    };
    const counted = { ...withImage('web:1'), status: { ...status, collisionCount: 1 } };
    const plan = planHistory(counted, [], NONE);
    expect(plan.hash).toBe(templateHash(counted.spec?.template ?? {}, 1));
    expect(planHistory(counted, [plan.current], NONE)).toMatchObject({ write: 'nothing', collisionCount: 1 });
  });
});

describe('rule 52: the limit', () => {
  const limited = (limit: number): Parameters<typeof edited>[1] => [['spec.revisionHistoryLimit', limit]];
  const IMAGES = ['web:1', 'web:2', 'web:3', 'web:4'];
  test.each([
    [10, { 'web:1': 1, 'web:2': 2, 'web:3': 3, 'web:4': 4 }],
    [2, { 'web:2': 2, 'web:3': 3, 'web:4': 4 }],
    [1, { 'web:3': 3, 'web:4': 4 }],
    [0, { 'web:4': 4 }],
  ])('of %d counts those that are not current; the oldest go first', (limit, left) => {
    expect(numbers(historyOf(IMAGES, NONE, limited(limit)))).toEqual(left);
  });
  test('does not touch what a pod still carries, and may be exceeded by it', () => {
    const hashes = IMAGES.map((image) => templateHash(withImage(image).spec?.template ?? {}));
    const inUse = new Set(hashes.slice(0, 1));
    expect(numbers(historyOf(IMAGES, inUse, limited(1)))).toEqual({ 'web:1': 1, 'web:4': 4 });
    expect(numbers(historyOf(IMAGES, new Set(hashes), limited(0)))).toEqual({
      'web:1': 1,
      'web:2': 2,
      'web:3': 3,
      'web:4': 4,
    });
  });
  test('never takes the current one', () => {
    const before = historyOf(IMAGES, NONE, limited(10));
    const plan = planHistory(withImage('web:1', limited(0)), before, NONE);
    expect(namesOf(plan.remove)).not.toContain(plan.current.metadata?.name);
    expect(plan.remove).toHaveLength(3);
  });
});

describe('rule 54: several revisions of the current template', () => {
  const [first] = historyOf(['web:1']);
  const twin = {
    ...first,
    metadata: { ...first?.metadata, name: 'web-twin', labels: { [REVISION_LABEL]: 'twin' } },
  };
  const older = first as ControllerRevision;
  const newer = { ...twin, revision: 2 } as ControllerRevision;
  test('the highest number is kept, the others go', () => {
    const plan = planHistory(withImage('web:1'), [newer, older], NONE);
    expect(plan).toMatchObject({ hash: 'twin', write: 'nothing' });
    expect(namesOf(plan.remove)).toEqual([older.metadata?.name]);
  });
  test('unless a pod carries them: pods are not relabelled here, they move on in their turn', () => {
    const plan = planHistory(withImage('web:1'), [newer, older], new Set([revisionHash(older)]));
    expect(plan.remove).toEqual([]);
  });
});

describe('for any row of updates', () => {
  const steps = fc.array(
    fc.record({ image: fc.constantFrom('a', 'b', 'c', 'd', 'e'), limit: fc.nat(3), used: fc.nat(4) }),
    {
      maxLength: 12,
    },
  );
  const sound = (plan: typeof planHistory) =>
    fc.property(steps, (updates) => {
      let revisions: ControllerRevision[] = [];
      for (const { image, limit, used } of updates) {
        const daemonSet = withImage(image, [['spec.revisionHistoryLimit', limit]]);
        const inUse = new Set(revisions.slice(0, used).map(revisionHash));
        const before = revisions;
        const made = plan(daemonSet, revisions, inUse);
        revisions = carriedOut(revisions, made);
        const highest = Math.max(...revisions.map(({ revision }) => revision));
        // The current revision holds the template, under the one highest number.
        expect(revisionTemplate(made.current)).toEqual(daemonSet.spec?.template);
        expect(revisions.filter(({ revision }) => revision === highest)).toEqual([made.current]);
        // One revision per template; what is in use is there; the rest keeps to the limit.
        const templates = revisions.map((revision) => JSON.stringify(revisionTemplate(revision)));
        expect(new Set(templates).size).toBe(templates.length);
        for (const revision of before)
          if (inUse.has(revisionHash(revision)))
            expect(namesOf(revisions)).toContain(revision.metadata?.name);
        const idle = revisions.filter(
          (revision) => revision !== made.current && !inUse.has(revisionHash(revision)),
        );
        expect(idle.length).toBeLessThanOrEqual(limit);
        // Nothing more to do.
        expect(plan(daemonSet, revisions, inUse)).toMatchObject({
          write: 'nothing',
          remove: [],
          hash: made.hash,
        });
      }
    });
  test('the history is sound and settles at once', () => {
    holds(sound(planHistory), 150);
  });
  test('a mutant that forgets what is in use is caught', () => {
    isCaught(
      sound((daemonSet, revisions) => planHistory(daemonSet, revisions, NONE)),
      150,
    );
  });
  test('a mutant that does not renumber is caught', () => {
    isCaught(
      sound((daemonSet, revisions, inUse) => {
        const plan = planHistory(daemonSet, revisions, inUse);
        const kept = revisions.find(({ metadata }) => metadata?.name === plan.current.metadata?.name);
        return plan.write === 'renumber' && kept ? { ...plan, write: 'nothing', current: kept } : plan;
      }),
      150,
    );
  });
});
