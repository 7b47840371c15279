// What is installed: an agent that has been loaded carries nothing along that it does not use.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'fleetset-bundle-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const program = join(folder, 'loads.ts');
const agent = join(root, 'cli/src/commands/agent.ts');
await writeFile(
  program,
  `import { agentCommand } from '${agent}';
   performance.now();
   console.log(JSON.stringify([agentCommand.help, process.moduleLoadList]));`,
);
const dist = join(folder, 'dist');
await run(process.execPath, ['hack/bundle.ts', dist, `loads=${program}`], { cwd: root });

/** Modules of Node that cost half a megabyte or more each. */
const COSTLY = ['undici', 'internal/crypto/webcrypto', 'zlib', 'worker_threads', 'perf_hooks'];

it('loading the agent loads no HTTP client, no WebCrypto, no compression, no threads and no performance hooks', async () => {
  const { stdout } = await run(process.execPath, [join(dist, 'loads.js')]);
  const [help, loaded] = JSON.parse(stdout) as [string, string[]];
  expect(help).toContain('fleetset agent');
  expect(loaded).toContain('NativeModule http2');
  expect(
    loaded.filter((name) => COSTLY.some((costly) => new RegExp(`^NativeModule (.*/)?${costly}$`).test(name))),
  ).toEqual([]);
});

it('what reads the configuration file is no part of the agent, and reads it', async () => {
  const chunks = (await readdir(dist)).filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(chunks.map((name) => readFile(join(dist, name), 'utf8')));
  expect(texts.filter((text) => text.includes('YAMLParseError'))).toEqual([]);
  const whole = join(folder, 'whole');
  await run(process.execPath, ['hack/bundle.ts', whole, 'fleetset=cli/src/main.ts'], { cwd: root });
  const config = join(folder, 'agent.yaml');
  const read = async (text: string) => {
    await writeFile(config, text);
    const args = [join(whole, 'fleetset.js'), 'agent', '--config', config];
    return run(process.execPath, args).catch(({ stderr }: { readonly stderr: string }) => stderr);
  };
  expect(await read('dataDir: /nowhere\nbogus: 1\n')).toContain('unknown key "bogus"');
  expect(await read('dataDir: [/nowhere\n')).toContain('Flow sequence');
});
