// `fleetset up`: a fleet of one on this machine's own Docker engine, ended and started again, and its bad days.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../src/downtime-watch.ts';
import { type Embedded, startUp } from '../src/embedded.ts';
import { eventually } from '../src/eventually.ts';
import { web } from '../src/manifests.ts';
import { run, tryRun } from '../src/run.ts';

const API = 17_443;
const AGENTS = 17_444;
const PORT = 8104;
const ADDRESSES = ['--api-address', `127.0.0.1:${API}`, '--agent-address', `127.0.0.1:${AGENTS}`];
const manifest = (text: string, name = 'web', port = PORT) =>
  JSON.stringify(web({ namespace: 'default', name, port, text }));

let folder: string;
let up: Embedded;

const page = (port = PORT) => textOf(`http://127.0.0.1:${port}/index.html`);
const containersOf = async (daemonSet: string) =>
  (
    await run('docker', ['ps', '-q', '--no-trunc', '--filter', `label=dev.fleetset.daemonset=${daemonSet}`])
  ).trim();
/** A pod is there until its volumes are unmounted. */
async function deleteAll({ kubectl }: Embedded): Promise<void> {
  await kubectl(['delete', 'daemonsets', '--all', '--timeout=180s']);
  await eventually('no pod is left', async () => (await kubectl(['get', 'pods', '-o', 'name'])) === '');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-up-'));
  await run('hack/docker', []);
  await run('hack/images/build', ['busybox'], { timeoutMs: 300_000 });
});

afterAll(async () => {
  await deleteAll(up).catch(() => {});
  await up?.stop('SIGTERM');
  await rm(folder, { recursive: true, force: true });
});

describe('fleetset up', () => {
  it('says ready when kubectl works and the node is Ready', async () => {
    up = startUp(join(folder, 'one'), ADDRESSES);
    await up.ready();
    expect(await up.kubectl(['get', 'nodes', '--no-headers'])).toMatch(/^solo +Ready /);
    expect((await stat(up.kubeconfig)).mode & 0o777).toBe(0o600);
    expect((await readFile(up.kubeconfig, 'utf8')).includes(`https://127.0.0.1:${API}`)).toBe(true);
  });

  it('runs what is applied, and shows its log', async () => {
    await up.kubectl(['apply', '-f', '-'], manifest('here'));
    await eventually('the page answers', async () => (await page()) === 'here');
  });

  it('a second one on the same directory or port is told why it cannot start', async () => {
    const same = await tryRun('hack/fleetset', [
      'up',
      '--data-dir',
      join(folder, 'one'),
      '--api-address',
      '127.0.0.1:0',
      '--agent-address',
      '127.0.0.1:0',
    ]);
    expect(same.code).toBe(1);
    expect(same.stderr).toMatch(/another plane is running and uses .*plane\.db/);
    const port = await tryRun('hack/fleetset', ['up', '--data-dir', join(folder, 'two'), ...ADDRESSES]);
    expect(port.code).toBe(1);
    expect(port.stderr).toMatch(new RegExp(`EADDRINUSE.*${API}`));
  });

  it('ends cleanly on SIGTERM and leaves the pods; started again it restarts none', async () => {
    const before = await containersOf('web');
    expect(await up.stop('SIGTERM')).toBe(0);
    expect(await page()).toBe('here');
    up = startUp(join(folder, 'one'), ADDRESSES);
    await up.ready();
    await up.kubectl(['rollout', 'status', 'ds/web', '--timeout=180s']);
    expect(await containersOf('web')).toBe(before);
  });

  it('a machine that joined by another name is not renamed, and whoever tries is told', async () => {
    expect(await up.stop('SIGTERM')).toBe(0);
    const renamed = await tryRun('hack/fleetset', [
      ...['up', '--data-dir', join(folder, 'one'), '--node-name', 'other'],
      ...['--api-address', '127.0.0.1:0', '--agent-address', '127.0.0.1:0'],
    ]);
    expect(renamed.stderr).toMatch(
      /belongs to node solo, which cannot be renamed to other: start it as solo, or/,
    );
    expect(renamed.code).toBe(1);
    up = startUp(join(folder, 'one'), ADDRESSES);
    await up.ready();
  });

  it('comes back after kill -9, and restarts none', async () => {
    const before = await containersOf('web');
    await up.stop('SIGKILL');
    up = startUp(join(folder, 'one'), ADDRESSES);
    await up.ready();
    await up.kubectl(['rollout', 'status', 'ds/web', '--timeout=180s']);
    expect(await containersOf('web')).toBe(before);
  });

  it('ends on ^C', async () => {
    expect(await up.stop('SIGINT')).toBe(0);
    up = startUp(join(folder, 'one'), ADDRESSES);
    await up.ready();
  });
});

describe('another machine', () => {
  it('can join by the line that is printed, also when agents have an address of their own', async () => {
    const other = startUp(join(folder, 'other'), [
      '--api-address',
      '127.0.0.1:0',
      '--agent-address',
      '127.0.0.2:0',
    ]);
    await other.ready();
    const line = await run('hack/fleetset', [
      'token',
      'create',
      '--print-join-command',
      '--kubeconfig',
      other.kubeconfig,
    ]);
    expect(line).toMatch(/^fleetset join 127\.0\.0\.2:/);
    const [, ...words] = line.trim().split(' ');
    await run('hack/fleetset', [...words, '--node-name', 'guest', '--data-dir', join(folder, 'guest')]);
    expect(await other.kubectl(['get', 'nodes', '-o', 'name'])).toBe('node/guest\nnode/solo\n');
    expect(await other.stop('SIGTERM')).toBe(0);
  });
});

describe('a full disk', () => {
  const limited = () => join(folder, 'limited');
  let small: Embedded;
  const filler = (dir: string) => join(limited(), dir, 'filler');
  const fill = (dir: string) =>
    run('sh', ['-c', `dd if=/dev/zero of=${filler(dir)} bs=4k 2>/dev/null || true`]);

  beforeAll(async () => {
    for (const dir of ['plane', 'agent']) {
      await mkdir(join(limited(), dir), { recursive: true });
      await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', join(limited(), dir)]);
    }
    small = startUp(limited(), ['--api-address', '127.0.0.1:0', '--agent-address', '127.0.0.1:0']);
    await small.ready();
  });
  afterAll(async () => {
    await deleteAll(small);
    await small.stop('SIGTERM');
    for (const dir of ['plane', 'agent']) await run('umount', [join(limited(), dir)]);
  });

  it('under the agent is shown on the node, hurts nothing, and heals when there is room', async () => {
    await small.kubectl(['apply', '-f', '-'], manifest('before', 'small', 8105));
    await eventually('the page answers', async () => (await page(8105)) === 'before');
    await fill('agent');
    await small.kubectl(['apply', '-f', '-'], manifest('after', 'small', 8105));
    await eventually('the node tells of it', async () =>
      /DesiredStateRefused.*not stored.*ENOSPC/s.test(await small.kubectl(['describe', 'node', 'solo'])),
    );
    expect(await page(8105)).toBe('before');
    await rm(filler('agent'));
    await eventually('the update arrives', async () => (await page(8105)) === 'after');
  });

  it('under the plane is told to whoever writes, and nothing is half written', async () => {
    await fill('plane');
    const refused = await eventually('a write is refused', async () => {
      const written = await small.tryKubectl([
        'create',
        'configmap',
        `c${Date.now()}`,
        `--from-literal=a=${'x'.repeat(50_000)}`,
      ]);
      return written.code === 0 ? undefined : written;
    });
    expect(refused.stderr).toMatch(/was not written: .*(full|disk)/);
    expect(await page(8105)).toBe('after');
    await rm(filler('plane'));
    await eventually(
      'writes are taken again',
      async () => (await small.tryKubectl(['create', 'configmap', `d${Date.now()}`])).code === 0,
    );
  });
});

describe('what an operator mistypes', () => {
  it.each([
    [
      'an address that nothing listens on',
      ['join', '127.0.0.1:1', '--token', 'abcdef.0123456789abcdef', '--ca-hash', `sha256:${'a'.repeat(64)}`],
      1,
      /no plane answers at 127\.0\.0\.1:1: .*ECONNREFUSED/,
    ],
    [
      'an address without a port',
      ['join', 'plane', '--token', 'abcdef.0123456789abcdef', '--ca-hash', `sha256:${'a'.repeat(64)}`],
      1,
      /"plane" is not HOST:PORT/,
    ],
    [
      'a token of the wrong form',
      ['join', '127.0.0.1:1', '--token', 'x', '--ca-hash', `sha256:${'a'.repeat(64)}`],
      1,
      /--token must be of the form/,
    ],
    [
      'a hash of the wrong form',
      ['join', '127.0.0.1:1', '--token', 'abcdef.0123456789abcdef', '--ca-hash', 'x'],
      1,
      /--ca-hash must be of the form/,
    ],
    ['a label that is none', ['agent', '--node-labels', 'a b=c'], 2, /labels: Invalid value: "a b"/],
    [
      'a taint that is none',
      ['agent', '--register-with-taints', 'x'],
      2,
      /taint "x" is not KEY=VALUE:EFFECT/,
    ],
    ['a log level that is none', ['plane', '--log-level', 'loud'], 2, /log level "loud": must be one of/],
    [
      'an address that is none',
      ['plane', '--api-address', '6443'],
      2,
      /--api-address: "6443" is not HOST:PORT/,
    ],
    ['a duration that is none', ['plane', '--node-monitor-grace-period', '40'], 2, /"40" is not a duration/],
    [
      'a config file that is not there',
      ['plane', '--config', '/nonexistent.yaml'],
      2,
      /\/nonexistent\.yaml: ENOENT/,
    ],
    ['a flag that does not exist', ['up', '--nope'], 2, /Unknown option '--nope'/],
    ['a command that does not exist', ['upp'], 2, /there is no command "upp"/],
  ])('%s', async (_what, args, code, message) => {
    const { code: got, stderr } = await tryRun('hack/fleetset', args);
    expect(stderr).toMatch(message);
    expect(got).toBe(code);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('an agent before it has joined', async () => {
    const { code, stderr } = await tryRun('hack/fleetset', ['agent', '--data-dir', join(folder, 'unjoined')]);
    expect(code).toBe(1);
    expect(stderr).toContain('has not joined a fleet');
  });

  it('an unknown key in a config file names the known ones', async () => {
    const path = join(folder, 'agent.yaml');
    await writeFile(path, 'lables: {a: b}\n');
    const { code, stderr } = await tryRun('hack/fleetset', ['agent', '--config', path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/unknown key "lables"; known are dataDir, nodeName, labels/);
  });

  it('a TLS server that is no plane is not joined', async () => {
    const server = createServer((socket) => socket.end('hello\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const args = [
      'join',
      `127.0.0.1:${port}`,
      '--token',
      'abcdef.0123456789abcdef',
      '--ca-hash',
      `sha256:${'a'.repeat(64)}`,
    ];
    const { code, stderr } = await tryRun('hack/fleetset', args);
    server.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`no plane answers at 127.0.0.1:${port}`);
  });
});
