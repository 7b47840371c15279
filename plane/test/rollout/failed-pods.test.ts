// Pods that have failed, as the plane sees them (rules 19, 20 and 27): failures of the revision they are of, though the
// pod before them runs; and gone once they are being deleted.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Json, STRATEGIC } from '../support/api-client.ts';
import { joinMember } from '../support/hollow-member.ts';
import { daemonSet, PODS, SETS } from '../support/manifests.ts';
import { placement, podReport } from '../support/reports.ts';
import { rolloutOf } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const FAILED = {
  ready: false,
  statusJson: JSON.stringify({ phase: 'Failed', reason: 'PodOSNotSupported', message: 'it is for windows' }),
  createdAt: '2031-01-01T00:00:00Z',
};

async function running(name: string) {
  const member = await joinMember(plane);
  const pod = { nodeSelector: { 'kubernetes.io/hostname': member.name } };
  const containers = [{ name: 'main', image: 'web:1' }];
  const set = await plane.api.ok('POST', SETS, daemonSet(name, { pod: { containers, ...pod } }));
  const show = (pods: Json[]) => member.report({ placements: [placement(set, 'Run')], pods: pods as never });
  show([]);
  const old = podReport(set, await member.granted(set));
  const path = `${SETS}/${name}`;
  const status = async (): Promise<Json> => (await plane.api.ok('GET', path)).status;
  const rollout = () => rolloutOf(plane, name);
  return { member, set, show, old, path, status, rollout };
}

it('a node that rejects the new revision failed with it, and it goes back, though nothing went down', async () => {
  const { member, set, show, old, path, status, rollout } = await running('rejected');
  show([old]);
  await until('complete', async () => (await rollout()).phase === 'Complete');
  const { headers } = await plane.api.call(
    'PATCH',
    path,
    { spec: { template: { spec: { os: { name: 'windows' } } } } },
    { type: STRATEGIC },
  );
  expect(headers.warning).toContain('spec.template.spec.os.name');
  const revision = await until('the new one is granted', async () => {
    const now = await member.granted(set);
    return now !== old.revision && now;
  });
  const rejected = podReport(set, revision, FAILED);
  show([old, rejected]);
  await until('it goes back', async () => (await rollout()).targetRevision === old.revision);
  expect((await rollout()).failures[member.name]).toContain('PodOSNotSupported');
  expect(await status()).toMatchObject({ numberAvailable: 1, currentNumberScheduled: 1, numberReady: 1 });
  const table = await plane.api.ok('GET', `${PODS}/${rejected.name}`, undefined, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  expect(table.rows[0].cells.slice(0, 3)).toEqual([rejected.name, '0/1', 'PodOSNotSupported']);
  await until('the old one is granted again', async () => (await member.granted(set)) === old.revision);
  show([old]);
  await until('it is over', async () => (await rollout()).phase === 'RolledBack');
  member.leave();
});

it('rule 27: one that runs counts while it is being deleted, also as available', async () => {
  const { member, show, old, status } = await running('ending');
  show([{ ...old, terminating: true }]);
  await until('it is counted', async () => (await status()).numberAvailable === 1);
  expect(await status()).toMatchObject({ numberReady: 1, currentNumberScheduled: 1 });
  member.leave();
});

it('rule 19: one that is being deleted is not counted any more', async () => {
  const { member, set, show, old, status } = await running('ended');
  const failed = podReport(set, old.revision, FAILED);
  show([failed]);
  await until('it is counted', async () => (await status()).currentNumberScheduled === 1);
  show([{ ...failed, terminating: true }]);
  await until('it is not', async () => (await status()).currentNumberScheduled === 0);
  show([{ ...failed, terminating: true }, old]);
  await until('another is', async () => (await status()).numberReady === 1);
  member.leave();
});
