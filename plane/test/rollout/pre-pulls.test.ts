// Images that are pulled before their turn, through the real plane: who is told to, how many at once, and that no place
// is lost, whatever becomes of agents, revisions and the plane.
import type { PrePull } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createFleet, type Session } from '../../src/fleet/fleet.ts';
import { createPrePulls } from '../../src/rollout/pre-pulls.ts';
import { MERGE, STRATEGIC } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilQuiet, untilRolledOut } from '../support/hollow-fleet.ts';
import type { PrePullAnswer } from '../support/hollow-node.ts';
import { daemonSet, EVENTS, REVISIONS, SETS } from '../support/manifests.ts';
import { POLICIES, rolloutOf, setImage, setPolicy, untilPhase } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const SECRETS = '/api/v1/namespaces/default/secrets';
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';

interface Asked {
  readonly node: string;
  readonly announced: PrePull;
  readonly answer: (state: PrePullAnswer) => void;
}

let plane: TestPlane;
let fleet: HollowFleet;
/** What nodes were asked to pull, until they answered. */
let open: Map<string, Asked>;
let all: Asked[];
let most: number;

beforeEach(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  open = new Map();
  all = [];
  most = 0;
});
afterEach(async () => {
  fleet.stop();
  await plane.stop();
});

const onPrePull = (node: string, announced: PrePull, answer: Asked['answer']) => {
  const asked = { node, announced, answer };
  all.push(asked);
  answer('pulling');
  if (announced.images.length === 0) {
    open.delete(node);
    return answer('pulled');
  }
  open.set(node, asked);
  most = Math.max(most, open.size);
};
const end = (node: string, state: PrePullAnswer = 'pulled') => {
  open.get(node)?.answer(state);
  open.delete(node);
};
const imagesOf = ({ announced }: Asked) => announced.images.map(({ image }) => image).join();
const names = () => fleet.nodes.map(({ name }) => name).sort();

const LONG_MS = 5000;
const NEVER_MS = 2 ** 31 - 1;

/** No long wait is over from now on. */
function stopClock(): void {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  const later = globalThis.setTimeout;
  const timers = vi
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation(((run: () => void, ms = 0) => later(run, ms < LONG_MS ? ms : NEVER_MS)) as never);
  onTestFinished(() => {
    clock.mockRestore();
    timers.mockRestore();
  });
}

/** Five nodes whose update waits for approval, of which two may pull at once. */
async function held(pod = {}): Promise<void> {
  await fleet.add(5, { onPrePull });
  await setPolicy(plane, { steps: [{ nodes: 1, approval: 'Manual' }], prePull: { maxParallel: 2 } });
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1', pod }));
  await untilRolledOut(plane, 'web', 5);
  expect(all).toEqual([]);
}
const pulls = (...nodes: string[]) =>
  until(`${nodes} pull`, () => [...open.keys()].sort().join() === nodes.join());

describe('a rollout that waits for approval', () => {
  it('has its images pulled meanwhile, two nodes at once, each once', async () => {
    await held();
    const [a = '', b = '', c = '', d = '', e = ''] = names();
    await setImage(plane, 'web:2');
    await pulls(a, b);
    expect(imagesOf(all[0] as Asked)).toBe('web:2');
    expect(all[0]?.announced.images[0]?.pullPolicy).toBe('IfNotPresent');
    expect((await rolloutOf(plane)).prePull).toEqual({ pulled: 0, pulling: [a, b], failures: {} });
    end(b);
    await pulls(a, c);
    end(a);
    end(c);
    await pulls(d, e);
    end(d);
    end(e);
    await until('all have them', async () => (await rolloutOf(plane)).prePull.pulled === 5);
    expect(all).toHaveLength(5);
    expect(most).toBe(2);
    expect(await untilPhase(plane, 'Progressing')).toMatchObject({ awaitsApproval: true });
  });

  it('asks nobody while it is paused, and takes back what was begun', async () => {
    await held();
    const [a = '', b = ''] = names();
    await setImage(plane, 'web:2');
    await pulls(a, b);
    const pause = (paused: boolean) =>
      plane.api.ok('PATCH', `${POLICIES}/careful`, { spec: { paused } }, { type: MERGE });
    await pause(true);
    await pulls();
    expect(all).toHaveLength(4);
    await pause(false);
    await pulls(a, b);
  });

  it('shows who failed, tells it once, and tries others meanwhile', async () => {
    await held();
    const [a = '', b = '', c = '', d = ''] = names();
    await setImage(plane, 'web:2');
    await pulls(a, b);
    end(a, { failed: 'no such image' });
    end(b, { failed: 'disk is full' });
    await pulls(c, d);
    const status = await rolloutOf(plane);
    expect(status.prePull.failures).toEqual({ [a]: 'no such image', [b]: 'disk is full' });
    // It is no failure of the rollout.
    expect(status).toMatchObject({ phase: 'Progressing', failures: {} });
    const told = await until('it is told', async () => {
      const { items } = await plane.api.ok('GET', EVENTS);
      const failed = items.filter(({ reason }: { reason: string }) => reason === 'PrePullFailed');
      return failed.length > 0 && failed;
    });
    expect(told).toMatchObject([
      { type: 'Warning', message: expect.stringContaining(`${a}: no such image`) },
    ]);
  });

  it('begins anew with a revision that comes halfway, when what was begun has ended', async () => {
    await held();
    const [a = '', b = ''] = names();
    await setImage(plane, 'web:2');
    await pulls(a, b);
    await setImage(plane, 'web:3');
    await until('both pull the newest', () => [...open.values()].every((one) => imagesOf(one) === 'web:3'));
    await pulls(a, b);
    // Two ends, and two begun again.
    expect(all.slice(2).map(imagesOf).sort()).toEqual(['', '', 'web:3', 'web:3']);
    expect(most).toBe(2);
  });

  it('gives the place of a node that leaves to the next, and asks again who comes back', async () => {
    await held();
    const [a = '', b = '', c = '', d = '', e = ''] = names();
    await setImage(plane, 'web:2');
    await pulls(a, b);
    fleet.node(a).unplug();
    open.delete(a);
    await pulls(b, c);
    for (const node of [b, c]) end(node);
    await pulls(d, e);
    for (const node of [d, e]) end(node);
    fleet.node(a).thaw();
    await pulls(a);
  });

  it('asks again after a restart of the plane, no more than may', async () => {
    await held();
    await setImage(plane, 'web:2');
    await until('two pull', () => open.size === 2);
    open.clear();
    await plane.restart();
    await until('two pull again', () => open.size === 2);
    while ((await rolloutOf(plane)).prePull?.pulled !== 5) {
      for (const node of open.keys()) end(node);
      await until('it is counted', () => open.size > 0 || rolloutOf(plane));
    }
    expect(most).toBe(2);
  });

  it('gives with the images the secrets that open their registry', async () => {
    await plane.api.ok('POST', '/api/v1/namespaces/default/secrets', {
      metadata: { name: 'login' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': '{"auths":{}}' },
    });
    await held({ imagePullSecrets: [{ name: 'login' }, { name: 'gone' }] });
    await setImage(plane, 'web:2');
    const [first] = await until('one pulls', () => all.length > 0 && all);
    const [login, gone] = first?.announced.pullSecrets ?? [];
    expect(login?.name).toBe('login');
    expect(Buffer.from(login?.content ?? []).toString()).toContain('.dockerconfigjson');
    expect(gone).toMatchObject({ name: 'gone' });
    expect(gone?.content).toHaveLength(0);
  });

  it('asks no machine that only says that it runs one', async () => {
    const [liar] = await fleet.add(1, { onPrePull, labels: { honest: 'no' } });
    await plane.api.ok('POST', SECRETS, {
      metadata: { name: 'login' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': '{"auths":{}}' },
    });
    const chosen = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'honest', operator: 'DoesNotExist' }] }],
        },
      },
    };
    await held({ affinity: chosen, imagePullSecrets: [{ name: 'login' }] });
    const set = await plane.api.ok('GET', `${SETS}/web`);
    const [revision] = (await plane.api.ok('GET', REVISIONS)).items;
    liar?.pretend(set.metadata, revision.metadata.labels['controller-revision-hash']);
    await untilQuiet(fleet);
    await setImage(plane, 'web:2');
    while (((await rolloutOf(plane)).prePull?.pulled ?? 0) < 5) {
      for (const node of open.keys()) end(node);
      await until('it is counted', () => open.size > 0 || rolloutOf(plane));
    }
    expect(all.map(({ node }) => node)).not.toContain(liar?.name);
  });

  it.each([
    ['a Secret that they are pulled with', { imagePullSecrets: [{ name: 'door' }] }],
    ['a Secret of their account', { serviceAccountName: 'puller' }],
    ['a Secret that only the coming revision names', {}, { imagePullSecrets: [{ name: 'door' }] }],
    ['a Secret of the account of the coming revision', {}, { serviceAccountName: 'puller' }],
  ])('asks who failed again as soon as %s changes', async (_case, pod, coming?: object) => {
    const secret = (password: string) => ({
      stringData: { '.dockerconfigjson': `{"auths":{"${password}":{}}}` },
    });
    const type = 'kubernetes.io/dockerconfigjson';
    await plane.api.ok('POST', SECRETS, { metadata: { name: 'door' }, type, ...secret('old') });
    await plane.api.ok('POST', ACCOUNTS, {
      metadata: { name: 'puller' },
      imagePullSecrets: [{ name: 'door' }],
    });
    await held(pod);
    stopClock();
    await plane.api.ok(
      'PATCH',
      `${SETS}/web`,
      { spec: { template: { spec: coming ?? {} } } },
      { type: STRATEGIC },
    );
    await setImage(plane, 'web:2');
    for (const at of [0, 1, 2, 3, 4]) {
      const asked = await until('the next is asked', () => all[at]);
      end(asked.node, { failed: 'unauthorized' });
    }
    await untilQuiet(fleet);
    expect(open.size).toBe(0);
    await plane.api.ok('PATCH', `${SECRETS}/door`, secret('new'), { type: MERGE });
    await until('they are asked again', () => open.size === 2);
    const [login] = [...open.values()][0]?.announced.pullSecrets ?? [];
    const { data } = JSON.parse(Buffer.from(login?.content ?? []).toString());
    expect(Buffer.from(data['.dockerconfigjson'], 'base64').toString()).toContain('new');
  });

  it('asks who failed again as soon as the account has another Secret, and when that is made', async () => {
    await plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'puller' } });
    await held({ serviceAccountName: 'puller' });
    stopClock();
    await setImage(plane, 'web:2');
    const allFail = async (first: number) => {
      for (let at = first; at < first + 5; at += 1) {
        const asked = await until('the next is asked', () => all[at]);
        end(asked.node, { failed: 'unauthorized' });
      }
      await untilQuiet(fleet);
      expect(open.size).toBe(0);
    };
    await allFail(0);
    expect(all.map(({ announced }) => announced.pullSecrets)).toEqual([[], [], [], [], []]);
    const more = { imagePullSecrets: [{ name: 'door' }] };
    await plane.api.ok('PATCH', `${ACCOUNTS}/puller`, more, { type: MERGE });
    await until('they are asked again', () => open.size === 2);
    expect([...open.values()][0]?.announced.pullSecrets).toMatchObject([{ name: 'door' }]);
    await allFail(5);
    await plane.api.ok('POST', SECRETS, {
      metadata: { name: 'door' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': '{"auths":{}}' },
    });
    await until('they are asked once more', () => open.size === 2);
    const [door] = [...open.values()][0]?.announced.pullSecrets ?? [];
    expect(Buffer.from(door?.content ?? []).toString()).toContain('.dockerconfigjson');
  });

  it('asks nobody where only something else than images changed', async () => {
    await held();
    const env = [{ name: 'main', env: [{ name: 'LEVEL', value: 'debug' }] }];
    const change = { spec: { template: { spec: { containers: env } } } };
    await plane.api.ok('PATCH', `${SETS}/web`, change, { type: STRATEGIC });
    await until('it waits', async () => (await rolloutOf(plane)).awaitsApproval);
    await untilQuiet(fleet);
    expect(all).toEqual([]);
    expect((await rolloutOf(plane)).prePull).toBeUndefined();
  });
});

it('a node whose turn comes is granted it though it pulls, or waits to', async () => {
  await fleet.add(3, { onPrePull });
  await setPolicy(plane, { prePull: { maxParallel: 1 } });
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
  await untilRolledOut(plane, 'web', 3);
  await setImage(plane, 'web:2');
  // Nobody answers.
  await untilRolledOut(plane, 'web', 3);
  expect(most).toBe(1);
  expect((await untilPhase(plane, 'Complete')).prePull).toBeUndefined();
});

it('under OnDelete all nodes are asked', async () => {
  await fleet.add(2, { onPrePull });
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1', strategy: 'OnDelete' }));
  await untilRolledOut(plane, 'web', 2);
  await setImage(plane, 'web:2');
  await pulls(...names());
});

it('an agent that knows of no such thing keeps no place, and is not asked again', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let now = 0;
  const wanted: string[] = [];
  const members = createFleet(() => now);
  for (const nodeName of ['old', 'new']) {
    const send = () => void wanted.push(nodeName);
    members.change(nodeName, { session: { nodeName, send } as never as Session, reported: true });
  }
  const prePulls = createPrePulls({
    fleet: members,
    runs: () => true,
    neededBy: () => ({ images: [{ image: 'web:2', pullPolicy: 'IfNotPresent' }], pullSecrets: [] }),
    loginOf: () => '',
    onFailing: () => {},
    monotonicNow: () => now,
  });
  onTestFinished(prePulls.stop);
  prePulls.wish('set', { revision: '2', limit: 1, nodes: [{ node: 'old' }, { node: 'new' }] });
  prePulls.goOn();
  expect(wanted).toEqual(['old']);
  now = 30_000;
  vi.advanceTimersByTime(30_000);
  expect(wanted).toEqual(['old', 'new']);
  now = 60_000;
  vi.advanceTimersByTime(30_000);
  expect(wanted).toEqual(['old', 'new']);
});
