// What a node was told last: which of two it believes, and what it believes of a damaged disk.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeDesired, DesiredRefused_Reason as Reason } from '@fleetset/proto/gen/fleetset/v1/node';
import { describe, expect, it } from 'vitest';
import { compareGenerations, openDesiredFile } from '../../src/state/desired-file.ts';
import { desired } from '../desired.ts';
import { smallDisk, smallDisksWork } from '../small-disk.ts';
import { tempDirectory } from '../temp-directory.ts';

const open = async (directory: string) => {
  const unreadable: unknown[] = [];
  const file = await openDesiredFile(directory, (error) => unreadable.push(error));
  return { ...file, unreadable };
};

describe('generations', () => {
  const told = desired({ epoch: 5, counter: 7, daemonSets: ['web'], labels: { a: '1', b: '2' } });

  it.each<[string, Parameters<typeof desired>[0], Reason | 'accepted']>([
    ['a higher counter is newer', { epoch: 5, counter: 8 }, 'accepted'],
    ['a higher epoch is newer, whatever the counter', { epoch: 6, counter: 1 }, 'accepted'],
    [
      'a lower counter is refused',
      { epoch: 5, counter: 6, daemonSets: ['web'] },
      Reason.REASON_OLDER_GENERATION,
    ],
    [
      'a lower epoch is refused, whatever the counter',
      { epoch: 4, counter: 99 },
      Reason.REASON_OLDER_GENERATION,
    ],
    [
      'the same with other content is refused',
      { epoch: 5, counter: 7 },
      Reason.REASON_SAME_GENERATION_OTHER_CONTENT,
    ],
    [
      'the same with another label is refused',
      { epoch: 5, counter: 7, daemonSets: ['web'], labels: { a: '1', b: '3' } },
      Reason.REASON_SAME_GENERATION_OTHER_CONTENT,
    ],
    [
      'the same again is accepted',
      { epoch: 5, counter: 7, daemonSets: ['web'], labels: { a: '1', b: '2' } },
      'accepted',
    ],
    [
      'the same with its labels in another order is the same',
      { epoch: 5, counter: 7, daemonSets: ['web'], labels: { b: '2', a: '1' } },
      'accepted',
    ],
  ])('%s', async (_name, offered, verdict) => {
    const directory = await tempDirectory();
    const file = await open(directory);
    expect(await file.offer(told)).toBeUndefined();
    const refusal = await file.offer(desired(offered));
    if (verdict === 'accepted') expect(refusal).toBeUndefined();
    else {
      expect(refusal).toMatchObject({ reason: verdict, message: expect.stringContaining('accepted') });
      expect(file.current()).toEqual(told);
    }
    expect((await open(directory)).current()).toEqual(file.current());
  });

  it('the first of all is accepted, also one without a generation', async () => {
    for (const first of [told, { ...told, generation: undefined }])
      expect(await (await open(await tempDirectory())).offer(first)).toBeUndefined();
  });

  it('are ordered by epoch, then counter; none is older than any', () => {
    const order = [undefined, { epoch: 0, counter: 1 }, { epoch: 1, counter: 9 }, { epoch: 2, counter: 1 }];
    for (const [index, generation] of order.entries())
      for (const [other, another] of order.entries())
        expect(Math.sign(compareGenerations(generation, another))).toBe(Math.sign(index - other));
  });
});

describe('what a newer plane says', () => {
  const whole = desired({ counter: 7, labels: { a: '1' }, tombstones: [{ podUid: 'pod', graceSeconds: 9 }] });
  // As an agent reads it that does not know of tombstones.
  const { tombstones: _unknown, ...known } = whole;
  const asRead: NodeDesired = { ...known, tombstones: [] };
  const received = NodeDesired.encode(whole).finish();

  it('is whole for a newer agent that starts on the same disk, and the same for it when it is told again', async () => {
    const directory = await tempDirectory();
    const old = await open(directory);
    expect(await old.offer(asRead, received)).toBeUndefined();
    expect(old.current()).toEqual(asRead);
    const upgraded = await open(directory);
    expect(upgraded.current()).toEqual(whole);
    expect(await upgraded.offer(whole, received)).toBeUndefined();
  });

  it('is kept too when the plane learned to say it after the rest was accepted', async () => {
    const directory = await tempDirectory();
    const old = await open(directory);
    expect(await old.offer(asRead, NodeDesired.encode(asRead).finish())).toBeUndefined();
    expect(await old.offer(asRead, received)).toBeUndefined();
    expect((await open(directory)).current()).toEqual(whole);
  });
});

describe('a damaged disk', () => {
  it('with any beginning of the file, or any byte of it changed, holds nothing, and says so', async () => {
    const directory = await tempDirectory();
    const path = join(directory, 'desired.pb');
    await (await open(directory)).offer(desired({ epoch: 1, counter: 1, daemonSets: ['a', 'b'] }));
    const whole = await readFile(path);
    const damaged = [
      ...Array.from(whole.keys(), (length) => whole.subarray(0, length)),
      ...Array.from(whole.keys(), (at) => Buffer.from(whole).fill((whole[at] ?? 0) ^ 1, at, at + 1)),
      Buffer.concat([whole, Buffer.from([0])]),
      Buffer.alloc(whole.length),
    ];
    for (const content of damaged) {
      await writeFile(path, content);
      const file = await open(directory);
      expect(file.current()).toBeUndefined();
      expect(file.unreadable).toHaveLength(1);
    }
    // What comes next is taken as the first, and mends it.
    const file = await open(directory);
    await file.offer(desired({ epoch: 1, counter: 1, daemonSets: ['a'] }));
    expect((await open(directory)).current()).toEqual(file.current());
  });

  it('with a half written next one beside it holds the old one', async () => {
    const directory = await tempDirectory();
    const file = await open(directory);
    await file.offer(desired({ epoch: 1, counter: 1, daemonSets: ['a'] }));
    await writeFile(join(directory, 'desired.pb.new'), 'half of i');
    const again = await open(directory);
    expect(again.current()).toEqual(file.current());
    expect(again.unreadable).toEqual([]);
  });

  it('that was never written holds nothing, and that is no trouble', async () => {
    const file = await open(await tempDirectory());
    expect([file.current(), file.unreadable]).toEqual([undefined, []]);
  });

  it.skipIf(!smallDisksWork)(
    'that is full keeps the old one in force, and takes the new one when there is room',
    async () => {
      const disk = smallDisk();
      const file = await open(disk.directory);
      const [old, next] = [
        desired({ counter: 1, daemonSets: ['a'] }),
        desired({ counter: 2, daemonSets: Array.from({ length: 99 }, (_, n) => `set-${n}`) }),
      ];
      await file.offer(old);
      await disk.fill();
      expect(await file.offer(next)).toMatchObject({
        reason: Reason.REASON_NOT_STORED,
        message: expect.stringContaining('ENOSPC'),
      });
      expect(file.current()).toEqual(old);
      expect((await open(disk.directory)).current()).toEqual(old);
      await disk.free();
      expect(await file.offer(next)).toBeUndefined();
      expect((await open(disk.directory)).current()).toEqual(next);
    },
  );
});
