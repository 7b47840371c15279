// hack/install, as far as it goes without a machine to install on.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../hack/install', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fleetset-install-'));
const options = (dist: string) =>
  ({ env: { ...process.env, FLEETSET_DIST: dist }, encoding: 'utf8' }) as const;

afterAll(() => rmSync(folder, { recursive: true }));

// The limit is for a script on a busy machine.
describe('hack/install --stage', () => {
  it('takes the bundle from the folder that FLEETSET_DIST names, whatever its name', () => {
    const dist = join(folder, 'a-bundle');
    const stage = join(folder, 'stage');
    mkdirSync(dist);
    writeFileSync(join(dist, 'fleetset.js'), '// this one\n');
    execFileSync(script, ['--stage', stage], options(dist));
    expect(readFileSync(join(stage, 'lib/fleetset.js'), 'utf8')).toBe('// this one\n');
  });

  it('says which folder holds no bundle', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const { status, stderr } = spawnSync(script, ['--stage', join(folder, 'none')], options(empty));
    expect(status).toBe(1);
    expect(stderr).toContain(`FLEETSET_DIST=${empty} holds no fleetset.js`);
  });
});
