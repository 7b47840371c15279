// Images that come before their turn, on the real fleet: three engines that pull from a real registry, which sees no more
// of them at once than the policy says, while what runs runs on.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestRegistry, type TestRegistry } from '../../hack/lib/test-registry.ts';
import { eventually } from '../src/eventually.ts';
import {
  addressOf,
  apply,
  fingerprint,
  fleet,
  fleetset,
  getJson,
  inNode,
  kubectl,
  NODES,
} from '../src/fleet.ts';
import { BUSYBOX, web } from '../src/manifests.ts';
import { openRegistryGate, type RegistryGate } from '../src/registry-gate.ts';
import { run } from '../src/run.ts';

const namespace = 'pre-pull';
const PORT = 8121;
/** Where each node has the registry: an engine asks its own machine without TLS. */
const LOCAL_PORT = 5999;
const imageOf = (version: number) => `127.0.0.1:${LOCAL_PORT}/web:${version}`;

let directory: string;
let registry: TestRegistry;
let gate: RegistryGate;
let addresses: Map<string, string>;
const made: string[] = [];

/** Into the registry, with a layer that no other image has. */
async function push(version: number): Promise<void> {
  const name = `127.0.0.1:${registry.port}/web:${version}`;
  const id = (await run('docker', ['create', BUSYBOX, 'true'])).trim();
  made.push(name);
  await run('docker', ['cp', join(directory, 'registry.yml'), `${id}:/version-${version}`]);
  await run('docker', ['commit', id, name]);
  await run('docker', ['rm', id]);
  await run('docker', ['push', name]);
}

/** Until the node ends. */
const FORWARD = `const net = require('node:net');
const [port, host, to] = process.argv.slice(1);
net.createServer((socket) => {
  const on = net.connect(Number(to), host);
  socket.on('error', () => on.destroy());
  on.on('error', () => socket.destroy());
  socket.pipe(on).pipe(socket);
}).listen(Number(port), '127.0.0.1');`;

const update = (version: number) =>
  apply(web({ namespace, port: PORT, image: imageOf(version), text: `v${version}` }));
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
const has = async (node: string, version: number) =>
  (await inNode(node, 'docker', 'images', '-q', imageOf(version))).trim() !== '';
const haveIt = async (version: number) => {
  const there = await Promise.all(NODES.map((node) => has(node, version)));
  return NODES.filter((_, index) => there[index]);
};
const pullersAre = (count: number) =>
  eventually(`${count} pull`, () => gate.pulling().length === count && gate.pulling());
const status = async () =>
  (await fleetset('rollout', 'status', 'ds/web', '-n', namespace, '--no-watch')).stdout;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetset-pre-pull-'));
  registry = await startTestRegistry(directory);
  addresses = new Map(await Promise.all(NODES.map(async (node) => [node, await addressOf(node)] as const)));
  const own = (await inNode('node1', 'sh', '-c', "ip route show default | cut -d ' ' -f 3")).trim();
  gate = await openRegistryGate(registry.port, own);
  for (const node of NODES) {
    const forward = ['node', '-e', FORWARD, String(LOCAL_PORT), own, String(gate.port)];
    const quoted = forward.map((part) => `'${part.replaceAll("'", `'\\''`)}'`).join(' ');
    await fleet('exec', node, 'sh', '-c', `${quoted} >/dev/null 2>&1 & echo $! >/run/forward.pid`);
  }
  for (const version of [1, 2, 3]) await push(version);
  await kubectl('create', 'namespace', namespace);
  await apply({
    apiVersion: 'fleetset.dev/v1',
    kind: 'RolloutPolicy',
    metadata: { name: 'held', namespace },
    spec: { daemonSets: ['web'], prePull: { maxParallel: 2 }, steps: [{ nodes: 1, approval: 'Manual' }] },
  });
  await update(1);
  await rolledOut();
});

afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
  for (const node of NODES) {
    await inNode(node, 'sh', '-c', 'kill "$(cat /run/forward.pid)"');
    await eventually('its images are free', () =>
      inNode(
        node,
        'sh',
        '-c',
        `docker images -q ${imageOf(0).replace(/:0$/, '')} | sort -u | xargs -r docker rmi -f`,
      ),
    );
  }
  gate.close();
  await registry.stop();
  await run('docker', ['rmi', '-f', ...made]);
  await rm(directory, { recursive: true, force: true });
});

describe('an update that waits for approval', () => {
  it('has its image on every node before anything stops, two pulling at once', async () => {
    const before = await fingerprint(namespace);
    gate.hold(true);
    await update(2);
    const [first = ''] = await pullersAre(2);
    expect(await status()).toMatch(/images on 0 ahead of their turn \(2 pulling\)/);
    expect(await haveIt(2)).toEqual([]);
    gate.release(first);
    // The third has its turn when one is done.
    await eventually(
      'another one pulls',
      () => gate.pulling().length === 2 && !gate.pulling().includes(first),
    );
    const [done] = [...addresses].filter(([, address]) => address === first).map(([node]) => node);
    expect(await haveIt(2)).toEqual([done]);
    gate.hold(false);
    await eventually('all have it', async () => (await haveIt(2)).length === NODES.length);
    expect(gate.most()).toBe(2);
    expect(await fingerprint(namespace)).toBe(before);
    await eventually('the plane knows it', async () =>
      /step 1 \(step 1\) waits for approval.* \| images on 3 ahead of their turn \|/.test(await status()),
    );

    const asked = gate.asked();
    await fleetset('rollout', 'approve', 'ds/web', '-n', namespace);
    await rolledOut();
    expect(gate.asked()).toBe(asked);
    expect(
      (await getJson<{ status: { phase: string } }>('rollouts', 'web', '-n', namespace)).status.phase,
    ).toBe('Complete');
  });
});

describe('a node whose turn comes', () => {
  it('pulls by itself while others pull in advance, and waits for none of them', async () => {
    await kubectl('patch', 'rp', 'held', '-n', namespace, '--type=merge', '-p', '{"spec":{"steps":[]}}');
    await kubectl(
      'patch',
      'rp',
      'held',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      '{"spec":{"prePull":{"maxParallel":1}}}',
    );
    gate.hold(true);
    await update(3);
    await pullersAre(2);
    const address = addresses.get('node1') ?? '';
    expect(gate.pulling()).toContain(address);
    gate.release(address);
    await eventually('node1 is updated', async () =>
      (await fetch(`http://${address}:${PORT}/index.html`)).text().then((text) => text.trim() === 'v3'),
    );
    gate.hold(false);
    await rolledOut();
  });
});
