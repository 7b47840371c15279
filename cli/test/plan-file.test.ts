// `fleetset plan` of a file that changes more than DaemonSets: their config, and the policies that pace them.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../../plane/test/support/api-client.ts';
import { untilRolledOut } from '../../plane/test/support/hollow-fleet.ts';
import { configMap, daemonSet, SETS } from '../../plane/test/support/manifests.ts';
import { POLICIES, policyOf, rolloutOf } from '../../plane/test/support/rollouts.ts';
import { until } from '../../plane/test/support/until.ts';
import { orderIn, type PlanBench, startPlanBench } from './support/plan-bench.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';

const ALWAYS_OPEN = {
  timeZone: 'UTC',
  ownWindows: { windows: [{ schedule: '* * * * *', duration: '1h', timeZone: '' }] },
};
let bench: PlanBench;
let plan: PlanBench['plan'];
beforeAll(async () => {
  bench = await startPlanBench([{}, { maintenance: ALWAYS_OPEN }, { labels: { site: 'lab' } }]);
  ({ plan } = bench);
  await bench.plane.api.ok('POST', MAPS, app('one'));
  await bench.plane.api.ok('POST', SECRETS, key('hunter1'));
  await bench.plane.api.ok('POST', SETS, web());
  await untilRolledOut(bench.plane, 'web', 3);
});
afterAll(() => bench.stop());
beforeEach(async () => {
  for (const { metadata } of (await bench.plane.api.ok('GET', POLICIES)).items)
    await bench.plane.api.ok('DELETE', `${POLICIES}/${metadata.name}`);
});

const app = (level: string) => configMap('app', { level });
const key = (value: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'key' },
  stringData: { key: value },
});
const envFrom = [{ configMapRef: { name: 'app' } }, { secretRef: { name: 'key' } }];
const web = (image = 'web:1', labels: Json = {}) =>
  daemonSet('web', { pod: { containers: [{ name: 'main', image, envFrom }] }, metadata: { labels } });
const follows = policyOf({ configRollout: true }, 'follows');
const labFirst = {
  steps: [{ name: 'lab', nodeSelector: { site: 'lab' }, nodes: 1 }],
};
/** The policy's own, with the newest revision given what its pods have. */
const withPolicy = async (one: Json) => {
  await bench.plane.api.ok('POST', POLICIES, one);
  await until('the policy counts', async () =>
    (await rolloutOf(bench.plane)).policy.includes(one.metadata.name),
  );
};

describe('config', () => {
  it('that is rolled out gives DaemonSets that name it a new revision, in the order that then comes', async () => {
    await withPolicy(follows);
    const text = await plan([app('two'), key('hunter2')]);
    expect(text).toContain(`DaemonSet default/web: its config changes
  ~ ConfigMap app: data.level: "one" -> "two"
  ~ Secret key: data.key: "(secret)" -> "(secret)"
Would run on 3 of 3 nodes: a, b, c
Update from revision ONE to a new one (maxUnavailable 1, RolloutPolicy default/follows):
    1. a
    2. b
    3. c
Each waits until those before it are available`);
    expect(text).toContain(`ConfigMap default/app: changed, rolled out by ds/web
Secret default/key: changed, rolled out by ds/web`);
    expect(text).not.toMatch(/hunter|aHVudGV/);
    bench.grants.length = 0;
    await bench.plane.api.ok('PATCH', `${MAPS}/app`, { data: { level: 'two' } }, { type: MERGE });
    await until('all have it', () => bench.grants.length === 3);
    await untilRolledOut(bench.plane, 'web', 3);
    expect(bench.grants.map(bench.named)).toEqual(orderIn(text));
    const again = await plan([app('two'), web()]);
    expect(again).toContain('DaemonSet default/web: unchanged');
    expect(again).toContain('Nothing changes: nothing is restarted');
    expect(again).toContain('ConfigMap default/app: unchanged');
  });

  it('and template that change together make one revision', async () => {
    await withPolicy(follows);
    const text = await plan([app('three'), web('web:2')]);
    expect(text).toContain('DaemonSet default/web: changed');
    expect(text).toContain('image: "web:1" -> "web:2"');
    expect(text).toContain('~ ConfigMap app: data.level: "two" -> "three"');
    expect(orderIn(text)).toEqual(['a', 'b', 'c']);
    // The same config: the hash of its snapshot is known.
    expect(await plan([web('web:2')])).toContain('Update from revision OLD to NEW');
  });

  it('that nothing rolls out is followed at once', async () => {
    const text = await plan([app('three'), configMap('unused')]);
    expect(text).not.toContain('DaemonSet');
    expect(text).toContain('ConfigMap default/app: changed, followed by running pods of ds/web at once');
    expect(text).toContain('ConfigMap default/unused: new');
  });

  it('counts from where the file switches it on, and not where it switches it off', async () => {
    expect(await plan([follows, app('three')])).toContain('rolled out by ds/web');
    expect(await plan([app('three'), follows])).toContain('followed by running pods of ds/web at once');
    const switchedOn = await plan([follows, web()]);
    expect(switchedOn).toContain('Nothing changes: nothing is restarted');
    await withPolicy(follows);
    const off = { ...follows, spec: { daemonSets: ['web'], configRollout: false } };
    const switchedOff = await plan([off, app('three'), web()]);
    expect(switchedOff).toContain('default/app: changed, followed by');
    expect(switchedOff).toContain('Nothing changes: nothing is restarted');
  });
});

describe('a policy', () => {
  it('in the file paces its DaemonSets as it will be', async () => {
    const text = await plan([policyOf(labFirst, 'careful'), web('web:2')]);
    expect(text).toContain('RolloutPolicy default/careful');
    expect(text).toContain('RolloutPolicy default/careful: will pace ds/web');
    expect(orderIn(text)).toEqual(['c', 'a', 'b']);
  });

  it('that selects a DaemonSet by the labels that the file gives it', async () => {
    await bench.plane.api.ok(
      'POST',
      POLICIES,
      policyOf({ daemonSets: [], selector: { matchLabels: { tier: 'lab' } }, ...labFirst }, 'lab'),
    );
    expect(orderIn(await plan([web('web:2')]))).toEqual(['a', 'b', 'c']);
    const text = await plan([web('web:2', { tier: 'lab' })]);
    expect(text).toContain('RolloutPolicy default/lab');
    expect(orderIn(text)).toEqual(['c', 'a', 'b']);
  });

  it('with windows closes nodes by these, not by those of before; a node goes by its own', async () => {
    const closed = (site?: string) => ({
      daemonSets: ['web'],
      // Closed but for one minute in four years.
      maintenanceWindows: [
        { schedule: '0 0 29 2 *', duration: '1m', ...(site ? { nodeSelector: { site } } : {}) },
      ],
    });
    const all = await plan([policyOf(closed(), 'nights'), web('web:2')]);
    expect(all).toMatch(/ 1\. b\n {4}waits until these may be changed:\n {6}a: .*\n {6}c: .*\n {4}2\. a/);
    await withPolicy(policyOf(closed(), 'nights'));
    expect(orderIn(await plan([web('web:2')]))).toEqual(['b', 'a', 'c']);
    const text = await plan([policyOf(closed('lab'), 'nights'), web('web:2')]);
    expect(text).toMatch(
      /1\. a\n {4}2\. b\n {4}waits until these may be changed:\n {6}c: [^\n]*UTC\)\n {4}3\. c/,
    );
  });

  it('that would be refused is named, and the rest is planned', async () => {
    await expect(plan([policyOf({ steps: [{ nodes: -1 }] }, 'bad'), web('web:2')])).rejects.toThrow(
      /spec\.steps\[0\]\.nodes: Invalid value: -1/,
    );
  });
});
