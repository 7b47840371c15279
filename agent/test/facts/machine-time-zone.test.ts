// The machine's time zone: from the link that most machines have, else from Intl.
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { machineTimeZone } from '../../src/facts/machine-time-zone.ts';
import { tempDirectory } from '../temp-directory.ts';

const linkTo = async (target: string) => {
  const file = join(await tempDirectory(), 'localtime');
  await symlink(target, file);
  return file;
};
const ofIntl = Intl.DateTimeFormat().resolvedOptions().timeZone;

it.each([
  ['/usr/share/zoneinfo/Europe/Berlin', 'Europe/Berlin'],
  ['../usr/share/zoneinfo/America/Argentina/Ushuaia', 'America/Argentina/Ushuaia'],
  ['/usr/share/zoneinfo/posix/Asia/Tokyo', 'Asia/Tokyo'],
  ['/usr/share/zoneinfo/Etc/UTC', 'UTC'],
])('/etc/localtime to %s is %s', async (target, zone) => {
  expect(machineTimeZone(undefined, await linkTo(target))).toBe(zone);
});

it('without /etc/localtime it is UTC', async () => {
  expect(machineTimeZone(undefined, join(await tempDirectory(), 'localtime'))).toBe('UTC');
});

it('a file that is no link, a link elsewhere and TZ are left to Intl', async () => {
  const file = join(await tempDirectory(), 'localtime');
  await writeFile(file, 'TZif2');
  expect(machineTimeZone(undefined, file)).toBe(ofIntl);
  expect(machineTimeZone(undefined, await linkTo('/etc/my-zone'))).toBe(ofIntl);
  expect(machineTimeZone('CET', await linkTo('/usr/share/zoneinfo/Asia/Tokyo'))).toBe(ofIntl);
});
