// What the API costs: lists of nodes and pods, a change that a thousand clients watch, writes that are on the disk, and
// what an agent notices of a client that lists over and over. Beside node:https and node:sqlite doing the same bytes, in
// the same run. `node bench/api.ts [ROUNDS]`
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openAuthority } from '@fleetset/plane/identity/authority';
import { listenAsAgent } from './src/agent-ear.ts';
import { nameOf, writeObjects } from './src/api-objects.ts';
import { type ApiProcess, startApiProcess } from './src/api-process.ts';
import { figure, median } from './src/median.ts';

const ROUNDS = Number(process.argv[2] ?? 11);
const SIZES = [1000, 10_000];
const WATCHERS = 1000;
const WRITES = 1000;
const AT_ONCE = 32;
const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const PODS = '/api/v1/pods';
const NODES = '/api/v1/nodes';
const APPLY = 'application/apply-patch+yaml';
const MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, n: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { n: String(n), text: 'x'.repeat(2000) },
  });

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

/** Each once before it counts, then in turn, so that what else the machine does meets both. */
async function inTurn(...acts: readonly (() => Promise<unknown>)[]): Promise<number[][]> {
  for (const act of acts) await act();
  const times = acts.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, act] of acts.entries()) times[index]?.push(await timed(act));
  return times;
}

const beside = ([plane = [], plain = []]: number[][]): string =>
  `${figure(plane, 'ms', 1).padEnd(30)} ${(median(plane) / median(plain)).toFixed(2)} x plain, ${figure(plain, 'ms', 1)}`;

async function manyWrites({ call }: ApiProcess): Promise<void> {
  let next = 0;
  const writer = async () => {
    for (let n = next++; n < WRITES; n = next++)
      await call(
        'PATCH',
        `${MAPS}/written-${n}?fieldManager=bench&force=true`,
        configMap(`written-${n}`, Math.random()),
        APPLY,
      );
  };
  await Promise.all(Array.from({ length: AT_ONCE }, writer));
}

/** With so many watchers: a change, from the write until the last of them has heard of it. */
async function watchedChange(server: ApiProcess): Promise<() => Promise<void>> {
  let round = 0;
  const write = () => {
    round += 1;
    const body = configMap('watched', round);
    return server.call('PATCH', `${MAPS}/watched?fieldManager=bench`, body, APPLY);
  };
  await write();
  let heard = 0;
  let all = () => {};
  const onData = () => {
    heard += 1;
    if (heard === WATCHERS) all();
  };
  const path = `${MAPS}?watch=true&fieldSelector=metadata.name%3Dwatched`;
  for (let from = 0; from < WATCHERS; from += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, WATCHERS - from) }, () => server.watch(path, onData)),
    );
  await new Promise((resolve) => setTimeout(resolve, 2000));
  return async () => {
    heard = 0;
    const done = new Promise<void>((resolve) => {
      all = resolve;
    });
    await write();
    await done;
  };
}

const perObject = new Map<string, number>();
console.log(`api: ${ROUNDS} rounds, medians (quartiles)`);
for (const size of SIZES) {
  const dataDir = mkdtempSync(join(tmpdir(), 'fleetset-bench-api-'));
  const authority = await openAuthority(join(dataDir, 'pki'));
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicDer = publicKey.export({ type: 'spki', format: 'der' });
  await writeObjects(dataDir, size, publicDer);
  const admin = await authority.adminIdentity();
  const credentials = { ca: authority.caCertificate, key: admin.key, cert: admin.certificate };
  const plain = await startApiProcess(script('./src/plain-server.ts'), [dataDir], credentials);
  const plane = await startApiProcess(
    script('../plane/test/support/plane-process.ts'),
    [dataDir],
    credentials,
  );
  try {
    console.log(`  ${size} nodes, ${size} pods`);
    const idle = [plane.residentMiB(), plain.residentMiB()];
    for (const [what, path] of [
      ['pods', PODS],
      ['nodes', NODES],
    ] as const) {
      const bytes = await plane.call('GET', path);
      const both = await inTurn(
        () => plane.call('GET', path),
        () => plain.call('GET', path),
      );
      const [times = []] = both;
      const each = median(times) / size;
      const growth = each / (perObject.get(what) ?? each);
      if (!perObject.has(what)) perObject.set(what, each);
      console.log(
        `    list of ${what.padEnd(6)} ${beside(both)}; ${(bytes / 1e6).toFixed(1)} MB; per object ${growth.toFixed(2)} x`,
      );
    }
    console.log(
      `    memory: ${plane.residentMiB().toFixed(0)} MiB after the lists (${idle[0]?.toFixed(0)} before); plain ${plain.residentMiB().toFixed(0)} (${idle[1]?.toFixed(0)})`,
    );
    if (size !== SIZES.at(-1)) continue;
    const [writes = [], plainWrites = []] = await inTurn(
      () => manyWrites(plane),
      () => manyWrites(plain),
    );
    const perSecond = (times: readonly number[]) => WRITES / (median(times) / 1000);
    console.log(
      `    apply, on the disk: ${perSecond(writes).toFixed(0)} a second, ${(perSecond(writes) / perSecond(plainWrites)).toFixed(2)} x plain (${perSecond(plainWrites).toFixed(0)})`,
    );

    const certificate = await authority.signNode(nameOf(0), publicDer);
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const ear = await listenAsAgent(plane.agentPort, { ca: authority.caCertificate, key, cert: certificate });
    let count = 0;
    const tell = async () => {
      const label = String(++count);
      const heard = ear.untilLabel('bench', label);
      const body = JSON.stringify({ metadata: { labels: { bench: label } } });
      await plane.call('PATCH', `${NODES}/${nameOf(0)}`, body, 'application/merge-patch+json');
      await heard;
    };
    const listers: Promise<void>[] = [];
    let listing = false;
    const lister = async () => {
      while (listing) await plane.call('GET', PODS);
    };
    const [quiet = [], , busy = []] = await inTurn(
      tell,
      async () => {
        listing = true;
        for (let client = 0; client < 4; client++) listers.push(lister());
      },
      tell,
      async () => {
        listing = false;
        await Promise.all(listers.splice(0));
      },
    );
    ear.close();
    console.log(
      `    a label reaches its agent: ${figure(quiet, 'ms', 1)}; while four clients list all pods ${figure(busy, 'ms', 1)}, ${(median(busy) / median(quiet)).toFixed(2)} x`,
    );
    const watched = await inTurn(await watchedChange(plane), await watchedChange(plain));
    console.log(`    ${WATCHERS} watchers hear of a change  ${beside(watched)}`);
  } finally {
    await Promise.all([plane.stop(), plain.stop()]);
    rmSync(dataDir, { recursive: true });
  }
}
