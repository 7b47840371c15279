// The scripts in hack/: what they do to the shell of who sources one, and what they answer who asks for help.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const hack = fileURLToPath(new URL('../../hack', import.meta.url));
// The help of hack/kubectl is kubectl's own.
const scripts = [...readdirSync(hack), 'images/build'].filter((name) => {
  const found = statSync(join(hack, name));
  return found.isFile() && (found.mode & 0o111) !== 0 && name !== 'kubectl';
});

// The limit is for a script on a busy machine.
describe('hack/', () => {
  it.each(['set +eu', 'set -eu'])(
    'setup, sourced, leaves the options of a shell with %j as they were',
    (first) => {
      const options = 'set +o; shopt -p';
      const { stdout, stderr } = spawnSync(
        'bash',
        ['-c', `${first}; ${options}; echo --; source ${hack}/setup; ${options}; echo --; command -v node`],
        { encoding: 'utf8' },
      );
      const [before, after, node] = stdout.split('--\n');
      expect(after, stderr).toBe(before);
      expect(node).toMatch(/\/\.tools\/node\/.*\/bin\/node\n$/);
    },
  );

  it.each(scripts)('%s --help says what there is, and that is no mistake', (name) => {
    const { status, stdout, stderr } = spawnSync(join(hack, name), ['--help'], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).not.toBe('');
    expect(status).toBe(0);
  });
});
