// `fleetset plan` against a real plane with nodes that behave: what it says of a manifest, and that what is then
// applied does as it said.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../plane/test/support/api-client.ts';
import { type HollowFleet, untilRolledOut } from '../../plane/test/support/hollow-fleet.ts';
import { daemonSet, PODS, SETS } from '../../plane/test/support/manifests.ts';
import { PLACEMENTS, POLICIES } from '../../plane/test/support/rollouts.ts';
import type { TestPlane } from '../../plane/test/support/test-plane.ts';
import { until } from '../../plane/test/support/until.ts';
import { isReady, orderIn, type PlanBench, startPlanBench } from './support/plan-bench.ts';

const LAB = { labels: { site: 'lab' } };
let bench: PlanBench;
let plane: TestPlane;
let fleet: HollowFleet;
let plan: PlanBench['plan'];

beforeAll(async () => {
  const tainted = { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] };
  bench = await startPlanBench([{}, {}, LAB, LAB, tainted]);
  ({ plane, fleet, plan } = bench);
});
afterAll(() => bench.stop());

const NOT_ON_E = 'e: taint dedicated=db:NoSchedule is not tolerated: no new pod here, one that runs may stay';

describe('fleetset plan', () => {
  it('shows where a new DaemonSet would run, and creates nothing', async () => {
    expect(await plan([daemonSet('fresh')])).toBe(
      `DaemonSet default/fresh: new
Would run on 4 of 5 nodes: a, b, c, d
Would not run on:
  ${NOT_ON_E}
Start of revision ONE:
    1. a (the node runs no pod now), b (the node runs no pod now), c (the node runs no pod now), d (the node runs no pod now)`,
    );
    expect((await plane.api.call('GET', `${SETS}/fresh`)).status).toBe(404);
  });

  describe('of one that runs', () => {
    beforeAll(async () => {
      await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
      await untilRolledOut(plane, 'web', 4);
    });

    it('says that nothing changes', async () => {
      expect(await plan([daemonSet('web', { image: 'web:1' })])).toBe(
        `DaemonSet default/web: unchanged
Would run on 4 of 5 nodes: a, b, c, d
Would not run on:
  ${NOT_ON_E}
Nothing changes: nothing is restarted`,
      );
    });

    it('says that a change of the pace alone restarts nothing', async () => {
      const text = await plan([
        daemonSet('web', { image: 'web:1', maxUnavailable: 2, spec: { minReadySeconds: 3 } }),
      ]);
      expect(text).toContain('~ spec.updateStrategy.rollingUpdate.maxUnavailable: 1 -> 2');
      expect(text).toContain('+ spec.minReadySeconds: 3');
      expect(text).toContain('Nothing is restarted: the template stays revision ONE');
    });

    it('shows which nodes come later, as they may not be changed now', async () => {
      await plane.api.ok('POST', POLICIES, {
        metadata: { name: 'nights' },
        spec: {
          daemonSets: ['web'],
          // Closed but for one minute in four years.
          maintenanceWindows: [
            { schedule: '0 0 29 2 *', duration: '1m', timeZone: 'UTC', nodeSelector: { site: 'lab' } },
          ],
        },
      });
      const [held] = fleet.nodes;
      held?.hold('its disk is replaced');
      await until('the plane knows', async () =>
        (await plane.api.ok('GET', PLACEMENTS)).items.some(({ status }: Json) => status.held),
      );
      const text = await plan([daemonSet('web', { image: 'web:2' })]);
      held?.hold(undefined);
      await plane.api.ok('DELETE', `${POLICIES}/nights`);
      await until('it is released', async () =>
        (await plane.api.ok('GET', PLACEMENTS)).items.every(({ status }: Json) => !status.held),
      );
      expect(text.replaceAll(/\w{3} \d{4}-02-29/g, 'DAY')).toContain(`
    1. b
    waits until these may be changed:
      a: held by somebody until 2030-01-02T03:04:05Z: its disk is replaced
      c: its maintenance window opens on DAY 00:00 (UTC)
      d: its maintenance window opens on DAY 00:00 (UTC)
    2. a
    3. c
    4. d
Each waits until those before it are available`);
    });

    it('shows what changes, and the order of the update with the steps of its policy', async () => {
      await plane.api.ok('POST', POLICIES, {
        metadata: { name: 'careful' },
        spec: {
          daemonSets: ['web'],
          steps: [
            { name: 'canary', nodes: 1, soakSeconds: 90 },
            { name: 'lab', nodeSelector: { site: 'lab' }, maxUnavailable: 2, approval: 'Manual' },
          ],
        },
      });
      const text = await plan([daemonSet('web', { image: 'web:2' })]);
      await plane.api.ok('DELETE', `${POLICIES}/careful`);
      expect(text).toBe(
        `DaemonSet default/web: changed
  ~ spec.template.spec.containers[name="main"].image: "web:1" -> "web:2"
Would run on 4 of 5 nodes: a, b, c, d
Would not run on:
  ${NOT_ON_E}
Update from revision OLD to NEW (maxUnavailable 1, RolloutPolicy default/careful):
  step canary: 1 node
    1. a
    waits until they have been available for 90 s
  step lab: 2 nodes, at most 2 unavailable
    waits for approval: fleetset rollout approve ds/web
    2. c, d
  step the rest: 1 node
    3. b
Each waits until those before it are available`,
      );
    });

    it('under a surge says that both pods run, and what its budget is', async () => {
      const surge = { updateStrategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 2 } } };
      const text = await plan([daemonSet('web', { image: 'web:2', spec: surge })]);
      expect(text).toContain(`Update from revision OLD to NEW (maxSurge 2, the defaults):
    1. a, b
    2. c, d
Each node runs both pods until the new one is available; then the old one is stopped
Each waits until those before it are available`);
    });

    it('names the nodes whose pod would be stopped', async () => {
      const text = await plan([daemonSet('web', { image: 'web:1', pod: { nodeSelector: { site: 'lab' } } })]);
      expect(text).toContain(
        'a: nodeSelector wants site=lab, the node has no label site (the pod that runs there is stopped)',
      );
      expect(text).toContain('Would run on 2 of 5 nodes: c, d');
    });

    it('shows the order in which it then goes, the node that is down first', async () => {
      const web = await plane.api.ok('GET', `${SETS}/web`);
      fleet.nodes[2]?.setHealth(web.metadata.uid, false);
      await until('the API shows it', async () => {
        const { items } = await plane.api.ok('GET', PODS);
        return items.filter(isReady).length === 3;
      });
      const foreseen = orderIn(await plan([daemonSet('web', { image: 'web:2' })]));
      bench.grants.length = 0;
      await plane.api.ok('PUT', `${SETS}/web`, daemonSet('web', { image: 'web:2' }));
      await untilRolledOut(plane, 'web', 4);
      expect(foreseen).toEqual(['c', 'a', 'b', 'd']);
      expect(bench.grants.map(bench.named)).toEqual(foreseen);
      expect(await plan([daemonSet('web', { image: 'web:2' })])).toContain('default/web: unchanged');
    });

    it('keeps what somebody else set, as kubectl apply does', async () => {
      const applied = daemonSet('kept', { image: 'web:1', pod: { dnsPolicy: 'Default' } });
      await plane.api.ok('POST', SETS, {
        ...applied,
        metadata: {
          name: 'kept',
          annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(applied) },
        },
      });
      await plane.api.ok(
        'PATCH',
        `${SETS}/kept`,
        { spec: { template: { metadata: { annotations: { restartedAt: 'noon' } } } } },
        { type: 'application/merge-patch+json' },
      );
      expect(await plan([applied])).toContain('default/kept: unchanged');
      const text = await plan([daemonSet('kept', { image: 'web:1' })]);
      expect(text).toContain('~ spec.template.spec.dnsPolicy: "Default" -> "ClusterFirst"');
      expect(text).not.toContain('restartedAt');
    });
  });

  it('plans each document, and names the others', async () => {
    const text = await plan([
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'settings' } },
      { apiVersion: 'v1', kind: 'List', items: [daemonSet('one'), daemonSet('two')] },
    ]);
    expect(text.match(/^(DaemonSet|Service).*/gm)).toEqual([
      'DaemonSet default/one: new',
      'DaemonSet default/two: new',
      'Service settings: not planned',
    ]);
  });

  it('plans for a namespace that the file makes', async () => {
    await plane.api.ok('POST', SETS, daemonSet('taken'));
    const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'made' } };
    const inIt = (name: string) => daemonSet(name, { metadata: { namespace: 'made' } });
    const text = await plan([space, inIt('first'), inIt('taken')]);
    expect(text).toContain('DaemonSet made/first: new');
    expect(text).toContain('DaemonSet made/taken: new');
    await expect(plan([space, inIt('Taken')])).rejects.toThrow(/metadata\.name: Invalid value: "Taken"/);
  });

  it.each<[string, () => Json, RegExp]>([
    [
      'all its errors by field',
      () => daemonSet('bad', { image: '', maxUnavailable: -1 }),
      /\[0\]\.image: Required value, .*maxUnavailable: Invalid value: -1/,
    ],
    [
      'a field that nobody knows',
      () => daemonSet('bad', { spec: { replicas: 3 } }),
      /unknown field "spec.replicas"/,
    ],
    [
      'a namespace that is not there',
      () => daemonSet('bad', { metadata: { namespace: 'nowhere' } }),
      /"nowhere" not found/,
    ],
    [
      'an API version of another kind',
      () => ({ ...daemonSet('bad'), apiVersion: 'v1' }),
      /expected API version \(apps\/v1\)/,
    ],
  ])('refuses with %s', async (_what, manifest, message) => {
    await expect(plan([manifest()])).rejects.toThrow(message);
  });

  it('refuses a namespace that is not the one of -n', () =>
    expect(plan([daemonSet('bad', { metadata: { namespace: 'default' } })], '-n', 'other')).rejects.toThrow(
      'DaemonSet bad: metadata.namespace is default, -n says other',
    ));
});
