// What is decided of many DaemonSets at once reaches the disk at once: nodes wait for the disk once, and not once for each.
import { expect, it, onTestFinished, vi } from 'vitest';
import { NOW, startLoopWorld } from '../support/loop-world.ts';
import { daemonSet } from '../support/manifests.ts';
import { until } from '../support/until.ts';

const COUNT = 20;

it('asks the disk for the revisions of all before it has written the first', async () => {
  const { store, loop, failures, stop } = await startLoopWorld();
  onTestFinished(stop);
  await until('the first is planned', () => loop.planOf('uid-web'));
  const commit = store.commit;
  const said: ('asked' | 'written')[] = [];
  vi.spyOn(store, 'commit').mockImplementation(async (writes) => {
    const isRevision = writes.some(({ collection }) => collection === 'apps/controllerrevisions');
    if (isRevision) said.push('asked');
    const result = await commit(writes);
    if (isRevision) said.push('written');
    return result;
  });

  const names = Array.from({ length: COUNT }, (_none, index) => `set-${index}`);
  await commit(
    names.map((name) => ({
      collection: 'apps/daemonsets',
      id: `default/${name}`,
      value: {
        ...daemonSet(name, {
          metadata: { namespace: 'default', uid: `uid-${name}`, generation: 1, creationTimestamp: NOW },
        }),
        status: {},
      },
      durable: true,
    })),
  );
  await until('all are planned', () => names.every((name) => loop.planOf(`uid-${name}`)));
  await until('all are written', () => said.filter((word) => word === 'written').length === COUNT);

  expect(said.indexOf('written')).toBe(COUNT);
  expect(failures).toEqual([]);
});
