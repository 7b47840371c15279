// What is installed: an agent that has been loaded carries nothing along that it does not use.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'fleetset-bundle-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Modules of Node that cost a megabyte or more each. */
const COSTLY = ['undici', 'internal/crypto/webcrypto', 'zlib'];

it('loading the agent loads no HTTP client, no WebCrypto and no compression', async () => {
  const program = join(folder, 'loads.ts');
  const agent = join(root, 'cli/src/commands/agent.ts');
  await writeFile(
    program,
    `import { agentCommand } from '${agent}'; console.log(JSON.stringify([agentCommand.help, process.moduleLoadList]));`,
  );
  const dist = join(folder, 'dist');
  await run(process.execPath, ['hack/bundle.ts', dist, `loads=${program}`], { cwd: root });
  const { stdout } = await run(process.execPath, [join(dist, 'loads.js')]);
  const [help, loaded] = JSON.parse(stdout) as [string, string[]];
  expect(help).toContain('fleetset agent');
  expect(loaded).toContain('NativeModule http2');
  expect(
    loaded.filter((name) => COSTLY.some((costly) => new RegExp(`^NativeModule (.*/)?${costly}$`).test(name))),
  ).toEqual([]);
});
