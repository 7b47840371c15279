// Holds as files: what is there counts, over restarts and by the machine's own clock; what is none is told and harms
// nobody.

import { execFile } from 'node:child_process';
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HoldShown } from '@fleetset/scheduler-core/node/hold';
import { expect, it, onTestFinished } from 'vitest';
import { readHolds, removeAsRead, removeHold, writeHold } from '../../src/holds/hold-file.ts';
import { type Holds, openHolds } from '../../src/holds/holds.ts';
import { tempDirectory } from '../temp-directory.ts';
import { until } from '../wait-until.ts';

const START = Date.parse('2030-01-02T03:04:05Z');
const HOUR = 3_600_000;

/** A machine whose clocks are set by hand. */
const clocks = { wallMs: START, bootId: 'boot-1', upMs: 50 * HOUR };

async function world() {
  Object.assign(clocks, { wallMs: START, bootId: 'boot-1', upMs: 50 * HOUR });
  const directory = join(await tempDirectory(), 'holds');
  const problems: string[] = [];
  const changes: string[] = [];
  const machine = () => ({ bootId: clocks.bootId, upMs: clocks.upMs });
  const open = async (): Promise<Holds> => {
    const holds = await openHolds({
      directory,
      machineTime: machine,
      wallNow: () => clocks.wallMs,
      onChange: (now) => changes.push(now.map(({ owner }) => owner).join()),
      onProblem: (problem) => problems.push(problem),
    });
    onTestFinished(holds.close);
    return holds;
  };
  const hold = (owner: string, forMs = 2 * HOUR) =>
    writeHold(directory, {
      owner,
      reason: 'its disk is replaced',
      forMs,
      setAt: clocks.wallMs,
      machine: machine(),
    });
  const pass = (ms: number) => {
    clocks.wallMs += ms;
    clocks.upMs += ms;
  };
  return { directory, open, hold, pass, problems, changes };
}
const owners = (shown: readonly HoldShown[]) => shown.map(({ owner }) => owner);

it('one that is set is noticed by itself, and so is its end', async () => {
  const { directory, open, hold, changes } = await world();
  const holds = await open();
  expect(holds.current()).toEqual([]);
  await hold('ann');
  await until('it is noticed', () => changes.length === 1);
  expect(holds.current()).toEqual([
    { owner: 'ann', reason: 'its disk is replaced', until: '2030-01-02T05:04:05Z' },
  ]);
  for (const file of await readHolds(directory)) await removeHold(directory, file);
  await until('it is noticed', () => changes.length === 2);
  expect(holds.current()).toEqual([]);
});

it('each owner has one, whatever his name is; the last that was set counts', async () => {
  const { directory, open, hold } = await world();
  const names = ['ann', 'ann/../bob', '..', '.hidden', 'a b@c', 'ünï', 'x.new', '%2F'];
  for (const name of [...names, 'ann']) await hold(name);
  const holds = await open();
  expect(owners(holds.current()).sort()).toEqual([...names].sort());
  expect((await readHolds(directory)).every(({ problem }) => problem === undefined)).toBe(true);
});

it('it ends when it was to end: over a restart of the agent, a reboot and a wall clock that jumps', async () => {
  const { open, hold, pass } = await world();
  await hold('ann', 2 * HOUR);
  const first = await open();
  pass(HOUR);
  clocks.wallMs -= 500 * HOUR;
  await first.look();
  expect(owners(first.current())).toEqual(['ann']);
  first.close();
  clocks.wallMs += 500 * HOUR;
  Object.assign(clocks, { bootId: 'boot-2', upMs: 60_000 });
  const second = await open();
  expect(second.current()).toMatchObject([{ until: '2030-01-02T05:04:05Z' }]);
  pass(HOUR - 1000);
  await second.look();
  expect(owners(second.current())).toEqual(['ann']);
  pass(1000);
  await second.look();
  expect(second.current()).toEqual([]);
});

it('an app writes reason and duration, and its hold lasts as long, whatever the clock does then', async () => {
  const { directory, open, pass } = await world();
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'database.json');
  await writeFile(path, '{"reason": "it is backed up", "for": "30m"}');
  await utimes(path, new Date(START - 10 * 60_000), new Date(START - 10 * 60_000));
  const holds = await open();
  expect(holds.current()).toEqual([
    { owner: 'database', reason: 'it is backed up', until: '2030-01-02T03:24:05Z' },
  ]);
  pass(19 * 60_000);
  clocks.wallMs -= 24 * HOUR;
  await holds.look();
  expect(owners(holds.current())).toEqual(['database']);
  pass(60_000);
  await holds.look();
  expect(holds.current()).toEqual([]);
});

it('what is no hold is told once, by name, and the others count', async () => {
  const { directory, open, hold, problems } = await world();
  await hold('ann');
  const put = (name: string, text: string) => writeFile(join(directory, name), text);
  await put('a.json', '{"reason":');
  await put('b.json', '[]');
  await put('c.json', '{"reason": "r", "for": "8d"}');
  await put('d.json', '{"reason": "r", "for": "200h"}');
  await put('e.json', '{"for": "1h"}');
  await put('f.json', '{"reason": "r", "for": "1h", "setAt": "tomorrow"}');
  await put('g.json', `{"reason": "r", "for": "1h", "upMs": "x"}`);
  await put('h.json', 'x'.repeat(20_000));
  await put('README', 'what is this?');
  await mkdir(join(directory, 'i.json'));
  await symlink('/etc/hostname', join(directory, 'j.json'));
  // Would wait for a writer for ever.
  await promisify(execFile)('mkfifo', [join(directory, 'k.json')]);
  await put('.unfinished.json', '{');
  await put('l.json.new', '{');
  const holds = await open();
  await holds.look();
  expect(owners(holds.current())).toEqual(['ann']);
  expect(problems).toEqual([
    'holds/README is no hold: its name does not end in .json',
    'holds/a.json is no hold: it is not JSON',
    'holds/b.json is no hold: it is not a JSON object',
    'holds/c.json is no hold: for must be a duration such as 30m',
    'holds/d.json is no hold: for must be more than 0 and at most 168h',
    'holds/e.json is no hold: reason is missing',
    'holds/f.json is no hold: setAt must be a time such as 2030-01-02T03:04:05Z',
    'holds/g.json is no hold: bootId and upMs must be there both, a text and a number',
    'holds/h.json is no hold: it is larger than 16384 bytes',
    'holds/i.json is no hold: it is not a file',
    'holds/j.json is no hold: it is a link',
    'holds/k.json is no hold: it is not a file',
  ]);
});

it('one that is over is cleared away, and does not hold anew when the machine starts again', async () => {
  const { directory, open, hold, pass } = await world();
  // Its wall clock is put right after it was set.
  clocks.wallMs += 48 * HOUR;
  await hold('ann', HOUR);
  clocks.wallMs -= 48 * HOUR;
  const first = await open();
  expect(owners(first.current())).toEqual(['ann']);
  pass(HOUR);
  await first.look();
  expect(first.current()).toEqual([]);
  first.close();
  Object.assign(clocks, { bootId: 'boot-2', upMs: 60_000 });
  const second = await open();
  expect(second.current()).toEqual([]);
  expect(await readHolds(directory)).toEqual([]);
});

it('one that is set anew while the last is cleared away stays', async () => {
  const { directory, hold } = await world();
  await hold('ann', HOUR);
  const [old] = await readHolds(directory);
  await hold('ann', 2 * HOUR);
  if (old) await removeAsRead(directory, old);
  const [left] = await readHolds(directory);
  expect(left?.hold?.forMs).toBe(2 * HOUR);
  if (left) await removeAsRead(directory, left);
  if (left) await removeAsRead(directory, left);
  expect(await readdir(directory)).toEqual([]);
});
