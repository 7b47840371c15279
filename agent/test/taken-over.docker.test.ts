// A pod that two DaemonSets took over one after the other, on real Docker: its containers name the first, who is known to
// nobody but by what the last took over. The agent processes hear no plane, as in an offline boot.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { createDockerRuntime } from '../src/runtime/docker-runtime.ts';
import { openBodyFiles } from '../src/state/body-files.ts';
import { openDesiredFile } from '../src/state/desired-file.ts';
import { openPodBook } from '../src/state/pod-book.ts';
import { bodiesNamed, type DesiredParts, desired, template, toldSet } from './desired.ts';
import { containersOf, removeContainersOf } from './docker-engine.ts';
import { DOCKER_SOCKET } from './engine-proxy.ts';
import { TEST_IMAGE, uniqueOwner } from './pods.ts';
import { tempDirectory } from './temp-directory.ts';
import { OBEYS } from './test-programs.ts';
import { until } from './wait-until.ts';

const owner = uniqueOwner();
const agents = new Set<ChildProcess>();
afterEach(async () => {
  for (const agent of agents) await end(agent);
});
afterAll(() => removeContainersOf(owner));

async function end(agent: ChildProcess): Promise<void> {
  if (!agents.delete(agent)) return;
  const ended = once(agent, 'exit');
  agent.kill('SIGKILL');
  await ended;
}

const set = (name: string, adopts: readonly string[] = []) =>
  toldSet(name, {
    revision: 'one',
    adopts,
    template: template({
      hostNetwork: false,
      terminationGracePeriodSeconds: 2,
      containers: [
        { name: 'app', image: TEST_IMAGE, command: [...OBEYS.command], imagePullPolicy: 'IfNotPresent' },
      ],
    }),
  });
const FIRST: DesiredParts = { daemonSets: [set('first')] };
const SECOND: DesiredParts = { daemonSets: [set('second', ['uid-of-first'])] };
const THIRD: DesiredParts = { daemonSets: [set('third', ['uid-of-first', 'uid-of-second'])] };

const look = async () =>
  (await containersOf(owner))
    .map(({ Id, State, Labels }) => `${Id} ${State} ${Labels['dev.fleetset.daemonset-uid']}`)
    .sort();

it('runs on through restarts of the agent and the loss of its book, and goes with its last owner', async () => {
  const directory = await tempDirectory();
  let counter = 0;
  const owners = async () => {
    const book = await openPodBook(directory, () => {});
    return String(book.all().map(({ record }) => record.daemonSetName));
  };
  /** An agent that was told this before it started. */
  const start = async (parts: DesiredParts) => {
    counter += 1;
    const bodies = await openBodyFiles(join(directory, 'bodies'));
    await bodies.put(bodiesNamed(parts));
    const file = await openDesiredFile(directory, () => {});
    expect(await file.offer(desired({ counter, ...parts }))).toBeUndefined();
    const agent = spawn(
      process.execPath,
      [join(import.meta.dirname, 'agent-process.ts'), directory, DOCKER_SOCKET, owner],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    agents.add(agent);
    return agent;
  };
  const live = async (parts: DesiredParts, expected: string) => {
    const agent = await start(parts);
    await until(`it is of ${expected}`, async () => (await owners()) === expected);
    await end(agent);
  };

  const first = await start(FIRST);
  await until('it runs', async () => {
    const containers = await look();
    return containers.length === 2 && containers.every((one) => one.includes(' running '));
  });
  await end(first);
  const before = await look();
  expect(before.every((one) => one.endsWith(' uid-of-first'))).toBe(true);
  await live(SECOND, 'second');
  // What the book does not say the labels do.
  await rm(join(directory, 'pods.json'));
  await live({ orphans: ['uid-of-first', 'uid-of-second'] }, 'first');
  await live(THIRD, 'third');
  expect(await look()).toEqual(before);

  await rm(join(directory, 'pods.json'));
  await live(THIRD, 'third');
  expect(await look()).toEqual(before);
  expect(await createDockerRuntime({ socketPath: DOCKER_SOCKET, owner }).strays()).toEqual([]);

  await rm(join(directory, 'pods.json'));
  await start({});
  await until('it is gone', async () => (await look()).length === 0);
});
