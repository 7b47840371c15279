// fleetset hold and release: files that the agent reads, with nobody else there.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Command } from '../src/commands/command.ts';
import { holdCommand } from '../src/commands/hold.ts';
import { releaseCommand } from '../src/commands/release.ts';

const folder = mkdtempSync(join(tmpdir(), 'fleetset-hold-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(command: Command, args: readonly string[], user = 'ann'): Promise<string> {
  const lines: string[] = [];
  const code = await command.run({
    args: ['--data-dir', folder, ...args],
    environment: { SUDO_USER: user },
    version: 'test',
    print: (line) => lines.push(line),
  });
  return [...lines, ...(code === 0 ? [] : [`exit ${code}`])].join('\n');
}
const hold = (...args: string[]) => run(holdCommand, args);
const release = (...args: string[]) => run(releaseCommand, args);
const UNTIL = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g;

describe('a hold', () => {
  it('is there until it is released, by its owner or by name', async () => {
    expect(await hold('--list')).toBe('nobody holds this node');
    expect(await hold('--for', '2h', '--reason', 'its disk is replaced')).toMatch(
      /^held by ann for 2h, until .*Z: its disk is replaced$/,
    );
    await hold('--for', '30m', '--reason', 'it is looked at', '--owner', 'bob');
    await hold('--for', '90m', '--reason', 'its fan is replaced');
    expect((await hold('--list')).replaceAll(UNTIL, 'T')).toBe(
      'held by ann until T: its fan is replaced\nheld by bob until T: it is looked at',
    );
    expect(await release()).toBe('released: the hold of ann');
    await expect(release()).rejects.toThrow('ann does not hold this node; there are holds of bob (--owner)');
    expect(await release('--owner', 'bob')).toBe('released: the hold of bob');
    await expect(release()).rejects.toThrow(/^ann does not hold this node$/);
    expect(await release('--all')).toBe('nobody holds this node');
  });

  it.each<[string, string[], RegExp]>([
    ['without an end', ['--reason', 'r'], /give --for: a hold has an end and a reason/],
    ['without a reason', ['--for', '2h'], /give --reason/],
    ['with an empty reason', ['--for', '2h', '--reason', ' '], /--reason is missing/],
    [
      'for more than a week',
      ['--for', '169h', '--reason', 'r'],
      /--for must be more than 0 and at most 168h/,
    ],
    ['for no time', ['--for', '0s', '--reason', 'r'], /--for must be more than 0/],
    ['for what is no duration', ['--for', 'ever', '--reason', 'r'], /--for: "ever" is not a duration/],
    ['with a listing', ['--list', '--for', '2h'], /--list stands alone/],
  ])('%s is refused', async (_what, args, message) => {
    await expect(hold(...args)).rejects.toThrow(message);
  });

  it('is refused where there is no agent', async () => {
    await expect(hold('--data-dir', join(folder, 'none'), '--for', '2h', '--reason', 'r')).rejects.toThrow(
      /there is no agent's directory .*none on this machine/,
    );
  });
});
