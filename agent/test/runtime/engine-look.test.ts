// What a look asks the engine: its list each time, and an inspection only of what may have changed.
import { expect, it } from 'vitest';
import { labelsOf } from '../../src/runtime/container-labels.ts';
import { RuntimeError } from '../../src/runtime/container-runtime.ts';
import { createLook } from '../../src/runtime/engine-look.ts';
import { until } from '../wait-until.ts';

const pod = {
  uid: 'uid-1',
  name: 'web-abcde',
  namespace: 'default',
  daemonSetUid: 'uid-of-web',
  daemonSetName: 'web',
  revision: 'web-1',
  templateHash: 'a'.repeat(64),
  createdAt: '2030-01-01T00:00:00Z',
};

function openLook(
  during: (inspections: number) => void = () => {},
  answered: () => Promise<void> | undefined = () => undefined,
) {
  const row = {
    Id: 'one',
    Image: 'image',
    ImageID: 'sha256:1',
    State: 'created',
    Status: 'Created',
    Created: 0,
    exitCode: 128,
    Labels: labelsOf({ pod, name: 'app', attempt: 0 }, 'owner'),
  };
  let inspections = 0;
  const look = createLook({
    owner: 'owner',
    rows: async () => [row],
    inspect: async (Id) => {
      inspections += 1;
      during(inspections);
      await answered();
      return {
        Id,
        Created: '2001-01-01T00:00:00Z',
        Image: row.ImageID,
        Config: { Image: row.Image, Labels: row.Labels },
        State: {
          Status: row.State,
          Running: row.State === 'running',
          ExitCode: row.exitCode,
          OOMKilled: false,
          Error: row.State === 'created' ? 'its last start failed' : '',
          StartedAt: '0001-01-01T00:00:00Z',
          FinishedAt: '0001-01-01T00:00:00Z',
        },
        NetworkSettings: { Networks: {} },
      };
    },
  });
  return { look, row, inspections: () => inspections };
}

it('one that does not answer is asked again only later, or when something happens to it', async () => {
  let answers = false;
  const { look, row, inspections } = openLook(() => {
    if (!answers) throw new RuntimeError('timeout', 'no answer');
  });
  row.State = 'running';
  await expect(look.inspect('one')).rejects.toThrow('no answer');
  answers = true;
  await expect(look.inspect('one')).rejects.toThrow('it did not answer a moment ago');
  expect(await look.list()).toMatchObject([{ id: 'one', state: 'running' }]);
  expect(inspections()).toBe(1);
  look.changed('one');
  expect(await look.inspect('one')).toMatchObject({ id: 'one', state: 'running' });
  expect(inspections()).toBe(2);
});

it('what this agent has just made is not inspected until something happens to it', async () => {
  const { look, inspections } = openLook();
  look.made('one');
  const [seen] = await look.list();
  expect([seen?.state, seen?.id, seen?.error, inspections()]).toEqual(['created', 'one', undefined, 0]);
  look.changed('one');
  const [after] = await look.list();
  expect([after?.state, after?.error, inspections()]).toEqual(['created', 'its last start failed', 1]);
});

it('what it finds is inspected, once; and again when anything may have been missed', async () => {
  const { look, inspections } = openLook();
  await look.list();
  await look.list();
  expect(inspections()).toBe(1);
  look.made('one');
  look.changed();
  await look.list();
  expect(inspections()).toBe(2);
});

it('what it made and runs is inspected, also before the engine has told of its start', async () => {
  const { look, row, inspections } = openLook();
  look.made('one');
  row.State = 'running';
  const [seen] = await look.list();
  expect([seen?.state, inspections()]).toEqual(['running', 1]);
});

it('a container has failed to start when this agent saw it, or else when it was made', async () => {
  const { look, row } = openLook();
  row.exitCode = 127;
  expect((await look.list())[0]).toMatchObject({ startFailed: true, finishedAt: '2001-01-01T00:00:00Z' });
  const before = new Date().toISOString();
  look.startFailed('one');
  look.changed('one');
  const [seen] = await look.list();
  expect(Date.parse(seen?.finishedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(before));
});

it('what something happens to while it is inspected is inspected again; what happens to another costs nothing', async () => {
  const happens = ['two', 'one', undefined];
  const { look, inspections } = openLook((count) => {
    if (count <= happens.length) look.changed(happens[count - 1]);
  });
  await look.list();
  await look.list();
  expect(inspections()).toBe(1);
  look.changed('one');
  await look.list();
  await look.list();
  await look.list();
  await look.list();
  expect(inspections()).toBe(4);
});

it('of two who inspect it at one time, none is fresh when something happens meanwhile', async () => {
  let answers: (() => void)[] = [];
  const { look, inspections } = openLook(
    () => {},
    () => new Promise<void>((resolve) => answers.push(resolve)),
  );
  const both = [look.list(), look.list()];
  await until('both inspect', () => inspections() === 2);
  look.changed('one');
  // The one that was asked first is answered last.
  for (const answer of answers.reverse()) answer();
  await Promise.all(both);
  answers = [];
  const again = look.list();
  await until('it is inspected again', () => inspections() === 3);
  answers[0]?.();
  await again;
});
