// Images on a real engine: what there is, what is in use, what goes with which name; and logs that do not grow for ever.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OWNER_LABEL } from '../../src/runtime/container-labels.ts';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import { createDockerRuntime } from '../../src/runtime/docker-runtime.ts';
import { docker, removeContainersOf } from '../docker-engine.ts';
import { DOCKER_SOCKET } from '../engine-proxy.ts';
import { settings, TEST_IMAGE, uniqueOwner } from '../pods.ts';
import { until } from '../wait-until.ts';

const owner = uniqueOwner();
const repository = `fleetset-test/images-${randomUUID()}`;
let runtime: ContainerRuntime;

beforeAll(() => {
  runtime = createDockerRuntime({ socketPath: DOCKER_SOCKET, owner, logs: { maxBytes: 4096, maxFiles: 2 } });
});
afterAll(async () => {
  await removeContainersOf(owner);
  for (const tag of ['1', '2', 'used'])
    await docker
      .getImage(`${repository}:${tag}`)
      .remove({ force: true })
      .catch(() => {});
});

/** One that nobody else has: a container of the test image, with a mark of its own. */
async function makeImage(tag: string): Promise<string> {
  const id = await runtime.create(settings());
  const changes = [`LABEL mark=${randomUUID()}`];
  const made: unknown = await docker.getContainer(id).commit({ repo: repository, tag, changes });
  await runtime.remove(id);
  return (made as { readonly Id: string }).Id;
}
const named = async (name: string) => (await runtime.images()).find(({ tags }) => tags.includes(name));

describe('images', () => {
  it('are there under their names, and gone with the last of them', async () => {
    const id = await makeImage('1');
    await docker.getImage(`${repository}:1`).tag({ repo: repository, tag: '2' });
    expect(await named(`${repository}:1`)).toMatchObject({
      id,
      tags: expect.arrayContaining([`${repository}:1`, `${repository}:2`]),
      inUse: false,
    });
    expect((await named(`${repository}:1`))?.sizeBytes).toBeGreaterThan(100_000);
    expect(await runtime.imageId(`${repository}:2`)).toBe(id);
    await runtime.removeImage(`${repository}:1`);
    expect(await named(`${repository}:2`)).toMatchObject({ id, tags: [`${repository}:2`] });
    await runtime.removeImage(`${repository}:2`);
    expect([await runtime.imageId(`${repository}:2`), await runtime.imageId(id)]).toEqual([
      undefined,
      undefined,
    ]);
    await runtime.removeImage(`${repository}:2`);
  });

  it('that a container was made of stay, also when it does not run', async () => {
    const id = await makeImage('used');
    const container = await runtime.create({ ...settings(), image: `${repository}:used` });
    expect(await named(`${repository}:used`)).toMatchObject({ id, inUse: true });
    await expect(runtime.removeImage(`${repository}:used`)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(runtime.removeImage(id)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await runtime.imageId(`${repository}:used`)).toBe(id);
    await runtime.remove(container);
    expect(await named(`${repository}:used`)).toMatchObject({ inUse: false });
  });
});

it('of two containers with one identity the second is a stray, also when the first has another name', async () => {
  const ours = await runtime.create(settings());
  const { Config } = await docker.getContainer(ours).inspect();
  await docker.getContainer(ours).rename({ name: `fleetset-test_renamed_${randomUUID()}` });
  // The engine tells whole seconds of when it made them.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const { id: copy } = await docker.createContainer({
    Image: TEST_IMAGE,
    Cmd: ['true'],
    Labels: Config.Labels,
  });
  expect(await runtime.strays()).toEqual([copy]);
  expect((await runtime.list()).map(({ id }) => id)).toEqual([ours]);
  for (const id of [copy, ours]) await runtime.remove(id);
});

it('a container with our label and no identity is a stray, and no other is', async () => {
  const ours = await runtime.create(settings());
  const { id: stray } = await docker.createContainer({
    Image: TEST_IMAGE,
    Cmd: ['true'],
    Labels: { [OWNER_LABEL]: owner, 'io.kubernetes.pod.name': 'half' },
  });
  expect(await runtime.strays()).toEqual([stray]);
  expect((await runtime.list()).map(({ id }) => id)).toEqual([ours]);
  await runtime.remove(stray);
  expect(await runtime.strays()).toEqual([]);
});

it('a log is cut off where the settings say, and its end is there', async () => {
  const id = await runtime.create(
    settings({ command: ['sh', '-c', 'for i in $(seq 1 2000); do echo "line $i of a log"; done'] }),
  );
  await runtime.start(id);
  await until('it has written all', async () => {
    const { State } = await docker.getContainer(id).inspect();
    return State.Status === 'exited';
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of await runtime.logs(
    id,
    { follow: false, timestamps: false },
    AbortSignal.timeout(60_000),
  ))
    pieces.push(piece);
  const lines = Buffer.concat(pieces).toString('utf8').trim().split('\n');
  expect(lines.at(-1)).toBe('line 2000 of a log');
  // Two files of 4 KiB, of which a line of JSON takes some hundred bytes.
  expect(lines.length).toBeLessThan(200);
});
