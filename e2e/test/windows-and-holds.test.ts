// When nodes may be changed, on the real fleet: a hold set on a node with the real command, a window of a policy, and
// one in an agent's own configuration.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { addressOf, apply, fleet, fleetset, inNode, kubectl, NODES, tryKubectl } from '../src/fleet.ts';
import { web } from '../src/manifests.ts';

const namespace = 'windows';
const PORT = 8114;
let urls: string[];

const texts = async () => Promise.all(urls.map(textOf));
const showing = (expected: string) =>
  eventually(`all show ${expected}`, async () => String(await texts()) === expected);
const why = async (node: string) => (await fleetset('why', node, 'web', '-n', namespace)).stdout;
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
const update = (text: string) => apply(web({ namespace, port: PORT, text }));
const policy = (maintenanceWindows: object[]) => ({
  apiVersion: 'fleetset.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'nights', namespace },
  spec: { daemonSets: ['web'], maintenanceWindows },
});
/** One minute in four years. */
const LEAP_DAY = { schedule: '0 0 29 2 *', duration: '1m' };

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
  await update('one');
  await rolledOut();
  urls = await Promise.all(NODES.map(async (node) => `http://${await addressOf(node)}:${PORT}/index.html`));
});

afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('a hold', () => {
  it('keeps what runs on its node while the others are updated, and its release lets it follow', async () => {
    const held = await inNode(
      'node2',
      ...['fleetset', 'hold', '--for', '1h', '--reason', 'its disk is replaced', '--owner', 'ann'],
    );
    expect(held).toMatch(/held by ann for 1h, until .*: its disk is replaced/);
    await eventually('kubectl tells of it', async () =>
      /Held +True .*LocalHold +held by ann until .*: its disk is replaced/.test(
        await kubectl('describe', 'node', 'node2'),
      ),
    );
    await update('two');
    await showing('two,one,two');
    expect(await why('node2')).toMatch(/Waiting: held by ann until .*: its disk is replaced/);
    const { stdout } = await fleetset('rollout', 'status', 'web', '-n', namespace, '--no-watch');
    expect(stdout).toMatch(
      /web: Progressing .* 0 of at most 1 unavailable \| 1 outside of a maintenance window or held/,
    );
    expect(stdout).toMatch(/node2 +\w+ +Waiting +held by ann/);
    // The agent is killed: the hold is on its disk.
    await inNode('node2', 'node-ctl', 'agent', 'kill');
    expect(await inNode('node2', 'fleetset', 'hold', '--list')).toMatch(/^held by ann until /);
    await eventually('the agent is back, and says it', async () =>
      /Waiting: held by ann/.test(await why('node2')),
    );
    expect(String(await texts())).toBe('two,one,two');
    expect(await inNode('node2', 'fleetset', 'release', '--owner', 'ann')).toContain(
      'released: the hold of ann',
    );
    await rolledOut();
    await showing('two,two,two');
    expect(await kubectl('describe', 'node', 'node2')).not.toMatch(/LocalHold/);
  });

  it('is kept by the agent alone when the plane is away', async () => {
    await fleet('stop', 'plane');
    try {
      await inNode(
        'node1',
        'fleetset',
        'hold',
        '--for',
        '10m',
        '--reason',
        'it is looked at',
        '--owner',
        'ann',
      );
    } finally {
      await fleet('start', 'plane');
    }
    await eventually('the plane is back', async () => (await tryKubectl(['get', 'nodes'])).code === 0);
    await update('three');
    await showing('two,three,three');
    await inNode('node1', 'fleetset', 'release', '--all');
    await rolledOut();
  });
});

describe('a maintenance window', () => {
  it('that is wrong is refused by the real kubectl, with the field', async () => {
    const refused = await tryKubectl(['apply', '-f', '-'], {
      input: JSON.stringify(policy([{ schedule: '0 25 * * *', duration: '4h' }])),
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'spec.maintenanceWindows[0].schedule: Invalid value: "0 25 * * *": the hour is out of range',
    );
  });

  it("of a policy holds the nodes it is for, by the label's time zone, until it is gone", async () => {
    await kubectl('label', 'node', 'node1', 'fleetset.dev/time-zone=America.New_York');
    await apply(policy([{ ...LEAP_DAY, nodeSelector: { 'kubernetes.io/hostname': 'node1' } }]));
    await update('four');
    await showing('three,four,four');
    expect(await why('node1')).toMatch(
      /Waiting: its maintenance window opens on \w{3} \d{4}-02-29 00:00 \(America\/New_York\)/,
    );
    expect(await kubectl('get', 'rolloutpolicies', '-n', namespace, '-o', 'wide')).toMatch(/nights +web/);
    await kubectl('delete', 'rolloutpolicy', 'nights', '-n', namespace);
    await kubectl('label', 'node', 'node1', 'fleetset.dev/time-zone-');
    await rolledOut();
    await showing('four,four,four');
  });

  it('in the configuration of an agent counts on that node, without any policy', async () => {
    const configure = async (lines: string) => {
      await inNode(
        'node3',
        'sh',
        '-c',
        `mkdir -p /etc/fleetset; printf '${lines}' > /etc/fleetset/agent.yaml`,
      );
      await inNode('node3', 'node-ctl', 'agent', 'kill');
    };
    await configure(
      'maintenanceWindows: [{schedule: "0 0 29 2 *", duration: 1m}]\\ntimeZone: Asia/Kolkata\\n',
    );
    await eventually('it is told', async () =>
      /Closed: .*02-29 00:00 \(Asia\/Kolkata\)/.test(await why('node3')),
    );
    await update('five');
    await showing('five,five,four');
    const label = await tryKubectl(['label', 'node', 'node3', 'fleetset.dev/time-zone=UTC', '--overwrite']);
    expect(label.code).toBe(1);
    await inNode('node3', 'rm', '/etc/fleetset/agent.yaml');
    await inNode('node3', 'node-ctl', 'agent', 'kill');
    await rolledOut();
    await showing('five,five,five');
  });
});
