// A real agent process is killed (SIGKILL) at one step after the other of a pod's life on real Docker: before Docker
// has heard of the step, or after Docker did it and before the agent knew. Each time another is started.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBodyFiles } from '../src/state/body-files.ts';
import { openDesiredFile } from '../src/state/desired-file.ts';
import { openPodBook } from '../src/state/pod-book.ts';
import { bodiesNamed, type DesiredParts, desired, template, toldSet } from './desired.ts';
import { containersOf, openProxy, removeContainersOf } from './docker-engine.ts';
import type { EngineProxy } from './engine-proxy.ts';
import { TEST_IMAGE, uniqueOwner } from './pods.ts';
import { tempDirectory } from './temp-directory.ts';
import { OBEYS } from './test-programs.ts';
import { until } from './wait-until.ts';

const owner = uniqueOwner();
let proxy: EngineProxy;
const living = new Set<ChildProcess>();

beforeAll(async () => {
  proxy = await openProxy();
});
afterAll(async () => {
  for (const child of living) child.kill('SIGKILL');
  await removeContainersOf(owner);
  await proxy.close();
});

const web = (revision: string) =>
  toldSet('web', {
    revision,
    template: template({
      hostNetwork: false,
      terminationGracePeriodSeconds: 2,
      priorityClassName: revision,
      containers: ['one', 'two'].map((name) => ({
        name,
        image: TEST_IMAGE,
        command: [...OBEYS.command],
        imagePullPolicy: 'IfNotPresent',
      })),
    }),
  });

const look = async () =>
  (await containersOf(owner)).map(({ Labels, State }) => ({
    uid: Labels['io.kubernetes.pod.uid'],
    title: `${Labels['dev.fleetset.revision']}/${Labels['io.kubernetes.container.name']} ${State}`,
  }));

const oneSet = (revision: string) => ['POD', 'one', 'two'].map((name) => `${revision}/${name} running`);

const changes = (line: string) =>
  /^(POST \/containers\/(create|[^/]+\/(start|stop))|DELETE \/containers\/)/.test(line);

/** The process dies at the given change it makes. Resolves when it is dead, or when all is as it is to be. */
async function liveUntil(
  directory: string,
  dieAt: number,
  how: 'hang-before' | 'hang-after',
  done: () => Promise<boolean>,
): Promise<'died' | 'done'> {
  let made = 0;
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'agent-process.ts'), directory, proxy.socketPath, owner],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  living.add(child);
  const ended = once(child, 'exit');
  proxy.judge((line) => {
    if (!changes(line)) return 'pass';
    made += 1;
    return made === dieAt ? how : 'pass';
  });
  proxy.onHang(() => child.kill('SIGKILL'));
  const outcome = await until('it died, or all is as it is to be', async () => {
    if (child.exitCode !== null || child.signalCode !== null) return 'died' as const;
    return (await done()) ? ('done' as const) : undefined;
  });
  child.kill('SIGKILL');
  expect((await ended)[1]).toBe('SIGKILL');
  living.delete(child);
  return outcome;
}

describe('an agent killed again and again', () => {
  it('places, updates and removes a pod in the end, never two at once, none left over', async () => {
    const directory = await tempDirectory();
    let counter = 0;
    let deaths = 0;
    let together = 0;

    const reach = async (parts: DesiredParts, wanted: readonly string[]) => {
      counter += 1;
      const bodies = await openBodyFiles(join(directory, 'bodies'));
      await bodies.put(bodiesNamed(parts));
      const file = await openDesiredFile(directory, () => {});
      expect(await file.offer(desired({ counter, ...parts }))).toBeUndefined();
      const done = async () => {
        const containers = await look();
        const running = containers.filter(({ title }) => title.endsWith('running'));
        together = Math.max(together, new Set(running.map(({ uid }) => uid)).size);
        const book = await openPodBook(directory, () => {});
        return (
          String(containers.map(({ title }) => title).sort()) === String(wanted) &&
          book.all().length === (wanted.length > 0 ? 1 : 0)
        );
      };
      // Each life does one step, and dies at the next.
      for (let life = 0; ; life++) {
        const outcome = await liveUntil(directory, 2, life % 2 === 0 ? 'hang-before' : 'hang-after', done);
        if (outcome === 'done') return;
        deaths += 1;
      }
    };

    await reach({ daemonSets: [web('web-1')] }, oneSet('web-1'));
    await reach({ daemonSets: [web('web-2')] }, oneSet('web-2'));
    await reach({}, []);
    expect(deaths).toBeGreaterThan(8);
    expect(together).toBe(1);
  });
});
