// What only real Docker can show: networks, mounts, limits, logs as they stream, and an engine that misbehaves.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OWNER_LABEL } from '../../src/runtime/container-labels.ts';
import type { ContainerRuntime, ContainerSettings } from '../../src/runtime/container-runtime.ts';
import { createDockerRuntime } from '../../src/runtime/docker-runtime.ts';
import { HOLDER_IMAGE } from '../../src/runtime/holder-image.ts';
import { containersOf, docker, openProxy, removeContainersOf } from '../docker-engine.ts';
import type { EngineProxy, Verdict } from '../engine-proxy.ts';
import { podRecord, settings, TEST_IMAGE, uniqueOwner } from '../pods.ts';
import { OBEYS, WRITES_AND_STAYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';

const owner = uniqueOwner();
const holderImage = `fleetset-test/holder-${randomUUID()}`;
let proxy: EngineProxy;
let runtime: ContainerRuntime;
let directory: string;

beforeAll(async () => {
  // The holder image of this engine is used by others too: here it has another name.
  proxy = await openProxy({ from: HOLDER_IMAGE.split(':')[0] ?? '', to: holderImage });
  runtime = createDockerRuntime({ socketPath: proxy.socketPath, owner });
  directory = await mkdtemp(join(tmpdir(), 'fleetset-docker-test-'));
});

afterAll(async () => {
  await removeContainersOf(owner);
  await docker
    .getImage(`${holderImage}:1`)
    .remove()
    .catch(() => {});
  await proxy.close();
  await rm(directory, { recursive: true, force: true });
});

const create = (over: Partial<ContainerSettings> = {}) => runtime.create(settings(OBEYS, over));
const start = async (over: Partial<ContainerSettings> = {}) => {
  const id = await create(over);
  await runtime.start(id);
  return id;
};
const inside = async (id: string, ...command: string[]) =>
  (await runtime.exec(id, command, 60_000)).output.trim();
const shell = (script: string) => ({ entrypoint: ['sh', '-c', script], args: [] });
const logOf = async (id: string, follow = false, timestamps = false) => {
  const pieces: Uint8Array[] = [];
  const log = await runtime.logs(id, { follow, timestamps }, new AbortController().signal);
  for await (const piece of log) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
};
const judged = async <T>(verdictOf: (line: string) => Verdict, run: () => Promise<T>): Promise<T> => {
  proxy.judge(verdictOf);
  try {
    return await run();
  } finally {
    proxy.judge(() => 'pass');
  }
};

describe('a pod with a network of its own', () => {
  it('gets a holder whose image is made here, once, also when two want it at the same time', async () => {
    expect(await runtime.hasImage(HOLDER_IMAGE)).toBe(false);
    await Promise.all([runtime.holderImage(), runtime.holderImage()]);
    await runtime.holderImage();
    expect(await runtime.hasImage(HOLDER_IMAGE)).toBe(true);
    const imports = proxy.requests.filter(
      (line) => line.startsWith('POST /images/create') && line.includes('fromSrc'),
    );
    expect(imports).toHaveLength(1);
  });

  it('shares localhost, IPC and published ports, and the holder only sleeps', async () => {
    const pod = podRecord({ name: 'shared-abcde' });
    const holder = await runtime.create({
      name: `fleetset-test_${pod.uid}_holder`,
      identity: { pod, name: HOLDER, attempt: 0 },
      image: await runtime.holderImage(),
      env: [],
      network: 'own',
      hostname: pod.name,
      mounts: [],
      ports: [28472, 28473].map((hostPort) => ({
        containerPort: 8080,
        hostPort,
        protocol: 'tcp' as const,
        hostIp: '127.0.0.1',
      })),
    });
    await runtime.start(holder);
    const member = (name: string, over: Partial<ContainerSettings>) =>
      start({
        network: { holderId: holder },
        identity: { pod, name, attempt: 0, holderAttempt: 0 },
        ...over,
      });
    await member(
      'web',
      shell('mkdir /www; echo "I am $(hostname)" > /www/index.html; httpd -f -p 8080 -h /www'),
    );
    const side = await member('side', {});
    const answer = await until('the neighbour answers', async () => {
      const text = await inside(side, 'wget', '-q', '-O', '-', 'http://127.0.0.1:8080/').catch(() => '');
      return text !== '' && text;
    });
    expect(answer).toBe('I am shared-abcde');
    for (const port of [28472, 28473])
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('I am shared-abcde\n');
    const { HostConfig } = await docker.getContainer(side).inspect();
    expect(HostConfig.IpcMode).toBe(`container:${holder}`);
    const { State } = await docker.getContainer(holder).inspect();
    expect(State.Running).toBe(true);
  });

  it('on the host network has the network of the host', async () => {
    const id = await start({ network: 'host' });
    const { HostConfig } = await docker.getContainer(id).inspect();
    expect(HostConfig.NetworkMode).toBe('host');
    const { Name } = (await docker.info()) as { Name: string };
    expect(await inside(id, 'hostname')).toBe(Name);
  });
});

describe('mounts', () => {
  it('show what the host has, take writes when they may, and refuse them when they may not', async () => {
    const [writable, protectedOne] = [join(directory, 'writable'), join(directory, 'protected')];
    await mkdir(writable);
    await mkdir(protectedOne);
    await writeFile(join(protectedOne, 'file'), 'from the host');
    const id = await start({
      mounts: [
        { source: writable, target: '/writable', readOnly: false, propagation: 'rprivate' },
        { source: protectedOne, target: '/protected', readOnly: true, propagation: 'rprivate' },
        { source: join(protectedOne, 'file'), target: '/etc/one', readOnly: true, propagation: 'rprivate' },
      ],
    });
    expect(await inside(id, 'cat', '/protected/file')).toBe('from the host');
    expect(await inside(id, 'cat', '/etc/one')).toBe('from the host');
    await inside(id, 'sh', '-c', 'echo from the pod > /writable/file');
    expect(await readFile(join(writable, 'file'), 'utf8')).toBe('from the pod\n');
    expect(await inside(id, 'touch', '/protected/new')).toContain('Read-only file system');
  });

  it.each([
    ['rprivate', undefined],
    ['rslave', 'rslave'],
    ['rshared', 'rshared'],
  ] as const)('of propagation %s reach the engine as %s', async (propagation, told) => {
    const id = await create({
      mounts: [{ source: directory, target: '/m', readOnly: false, propagation }],
    });
    const { HostConfig } = await docker.getContainer(id).inspect();
    expect(HostConfig.Mounts?.[0]).toMatchObject({ Type: 'bind', Source: directory });
    expect(HostConfig.Mounts?.[0]?.BindOptions?.Propagation).toBe(told);
  });

  it('of a private kind see nothing of what the host mounts later', async () => {
    const id = await start({
      mounts: [{ source: directory, target: '/m', readOnly: true, propagation: 'rprivate' }],
    });
    const lines = (await inside(id, 'cat', '/proc/self/mountinfo')).split('\n');
    expect(lines.find((line) => line.includes(' /m '))).not.toMatch(/master:|shared:/);
  });

  it.each(['/', 'containers'])("may be of the engine's own directory, or hold it: %s", async (path) => {
    const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
    const source = path === '/' ? path : join(DockerRootDir, path);
    const id = await start({
      mounts: [{ source, target: '/m', readOnly: true, propagation: 'rprivate' }],
    });
    const own = join('/m', path === '/' ? join(DockerRootDir, 'containers') : '', id);
    expect(await inside(id, 'ls', own)).toContain('config.v2.json');
  });

  it('of what is not there are refused', async () => {
    const mounts = [
      { source: '/no/such/path', target: '/m', readOnly: true, propagation: 'rprivate' as const },
    ];
    await expect(create({ mounts })).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('settings', () => {
  it('that this machine cannot start arrive at the engine as they were asked for', async () => {
    const id = await create({
      cpuShares: 256,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      memoryBytes: 64 << 20,
      oomScoreAdjust: -997,
      privileged: true,
      capAdd: ['SYS_TIME', 'NET_ADMIN'],
      capDrop: ['ALL'],
      readOnlyRoot: true,
      noNewPrivileges: true,
      user: '1000:2000',
      workingDir: '/tmp',
      tty: true,
      stdin: true,
      stdinOnce: true,
      hostPid: true,
      hostIpc: true,
      env: ['A=1', 'B=two words'],
      entrypoint: ['/bin/prog', '--flag'],
      args: ['x', 'y z'],
    });
    const { HostConfig, Config } = await docker.getContainer(id).inspect();
    expect(HostConfig).toMatchObject({
      CpuShares: 256,
      CpuQuota: 50_000,
      CpuPeriod: 100_000,
      Memory: 64 << 20,
      MemorySwap: 64 << 20,
      OomScoreAdj: -997,
      Privileged: true,
      CapAdd: expect.arrayContaining([expect.stringContaining('SYS_TIME')]),
      CapDrop: ['ALL'],
      ReadonlyRootfs: true,
      SecurityOpt: expect.arrayContaining(['no-new-privileges']),
      PidMode: 'host',
      IpcMode: 'host',
      NetworkMode: 'host',
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10485760', 'max-file': '3' } },
    });
    expect(Config).toMatchObject({
      User: '1000:2000',
      WorkingDir: '/tmp',
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      Entrypoint: ['/bin/prog', '--flag'],
      Cmd: ['x', 'y z'],
    });
    expect(Config.Env).toEqual(expect.arrayContaining(['A=1', 'B=two words']));
  });

  it('are those of the image when nothing is asked for', async () => {
    const image = await docker.getImage(TEST_IMAGE).inspect();
    const { entrypoint: _none, args: _no, ...plain } = settings();
    const { Config, HostConfig } = await docker.getContainer(await runtime.create(plain)).inspect();
    expect([Config.Entrypoint, Config.Cmd]).toEqual([image.Config.Entrypoint, image.Config.Cmd]);
    expect(HostConfig).toMatchObject({ Memory: 0, CpuQuota: 0, Privileged: false, ReadonlyRootfs: false });
  });

  it('hold in the process that runs', async () => {
    const id = await start({
      user: '1000:2000',
      readOnlyRoot: true,
      noNewPrivileges: true,
      capDrop: ['ALL'],
      oomScoreAdjust: 500,
      workingDir: '/bin',
      env: ['GREETING=hello'],
    });
    const status = await inside(id, 'cat', '/proc/1/status');
    expect(status).toMatch(/^Uid:\t1000\t1000/m);
    expect(status).toMatch(/^Gid:\t2000\t2000/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(await inside(id, 'cat', '/proc/1/oom_score_adj')).toBe('500');
    expect(await inside(id, 'touch', '/file')).toContain('Read-only file system');
    expect(await inside(id, 'sh', '-c', 'echo $GREETING from $PWD')).toBe('hello from /bin');
  });
});

describe('logs', () => {
  const LINES = 20_000;
  let big: string;
  beforeAll(async () => {
    const script = `awk 'BEGIN { for (i = 0; i < ${LINES}; i++) printf "%06d %0993d\\n", i, 0 }'`;
    big = await start(shell(script));
    await until(
      '20 MB are written',
      async () => (await docker.getContainer(big).inspect()).State.Status === 'exited',
    );
  });

  it('of 20 MB come whole and in order', async () => {
    const lines = (await logOf(big)).split('\n');
    expect(lines.length - 1).toBe(LINES);
    expect(lines.every((line, index) => line === '' || Number(line.slice(0, 6)) === index)).toBe(true);
  });

  it('come at the pace of their reader, and end with it', async () => {
    const before = proxy.passedBytes();
    const log = await runtime.logs(big, { follow: false, timestamps: false }, new AbortController().signal);
    for await (const piece of log) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(proxy.passedBytes() - before).toBeLessThan(5_000_000);
  });

  it.each([false, true])('have one time for each line, however long (terminal: %s)', async (tty) => {
    const id = await start({ ...shell("head -c 40000 /dev/zero | tr '\\0' x; echo; echo next"), tty });
    const lines = (await logOf(id, true, true)).replaceAll('\r\n', '\n').split('\n');
    expect(lines.map((line) => line.replace(/^20\S+Z /, 'time '))).toEqual([
      `time ${'x'.repeat(40_000)}`,
      'time next',
      '',
    ]);
  });

  it('of a terminal are plain bytes', async () => {
    const id = await start({ ...shell('echo to a terminal; echo and its errors >&2'), tty: true });
    expect(await logOf(id, true)).toBe('to a terminal\r\nand its errors\r\n');
  });

  it('of an attempt that was replaced are still there', async () => {
    const pod = podRecord();
    const attempt = (number: number, text: string) =>
      start({ ...shell(`echo ${text}`), identity: { pod, name: 'app', attempt: number } });
    const [first, second] = [await attempt(0, 'first'), await attempt(1, 'second')];
    expect(await logOf(second, true)).toBe('second\n');
    expect(await logOf(first, true)).toBe('first\n');
  });
});

describe('what goes wrong after the engine said 200', () => {
  const broken = (line: string) => (): Verdict => ({ instead: { status: 200, body: line } });
  const begun = '{"status":"Pulling from team/app","id":"1"}\r\n{"status":"Downloading","id":"f00"}\r\n';

  it.each([
    ['with its detail', '{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}\r\n'],
    ['without a detail', '{"error":"unexpected EOF"}\r\n'],
    ['in a last line without an end', '{"error":"unexpected EOF"}'],
  ])('fails a pull: a line that tells the error %s', async (_case, line) => {
    await expect(
      judged(broken(begun + line), () => runtime.pull(TEST_IMAGE, new AbortController().signal)),
    ).rejects.toMatchObject({ kind: 'pull-failed', message: 'unexpected EOF' });
  });

  it('comes after signs of progress, each of which is told', async () => {
    let signs = 0;
    const pulling = () =>
      runtime.pull(TEST_IMAGE, new AbortController().signal, () => {
        signs += 1;
      });
    await expect(judged(broken(`${begun}{"error":"unexpected EOF"}`), pulling)).rejects.toThrow();
    expect(signs).toBe(3);
  });

  it('fails a pull, and not the agent: half a line', async () => {
    await expect(
      judged(broken(`${begun}{"status":\r\n`), () => runtime.pull(TEST_IMAGE, new AbortController().signal)),
    ).rejects.toMatchObject({ kind: 'pull-failed' });
  });

  it('fails the import of the holder', async () => {
    const told = '{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}';
    const verdict = (line: string): Verdict => {
      if (line.startsWith('GET /images/'))
        return { instead: { status: 404, body: '{"message":"No such image"}' } };
      return line.startsWith('POST /images/create') ? { instead: { status: 200, body: told } } : 'pass';
    };
    await expect(judged(verdict, () => runtime.holderImage())).rejects.toMatchObject({
      kind: 'failed',
      message: 'no space left on device',
    });
  });
});

describe('an engine that misbehaves', () => {
  const away = createDockerRuntime({ socketPath: '/no/such/docker.sock', owner });

  it.each<[string, () => Promise<unknown>]>([
    ['info', () => away.info()],
    ['list', () => away.list()],
    ['create', () => away.create(settings())],
    ['start', () => away.start('id')],
    ['stop', () => away.stop('id', 1)],
    ['remove', () => away.remove('id')],
    ['exec', () => away.exec('id', ['true'], 1000)],
    ['hasImage', () => away.hasImage(TEST_IMAGE)],
    ['holderImage', () => away.holderImage()],
    ['pull', () => away.pull('127.0.0.1:1/x', new AbortController().signal)],
    ['logs', () => away.logs('id', { follow: false, timestamps: false }, new AbortController().signal)],
  ])('is unreachable for %s when there is none', async (_call, run) => {
    await expect(run()).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('that created the container and then said it could not has created it', async () => {
    const wanted = settings();
    await expect(
      judged(
        (line) =>
          line.startsWith('POST /containers/create')
            ? { afterwards: { status: 500, body: '{"message":"oops"}' } }
            : 'pass',
        () => runtime.create(wanted),
      ),
    ).rejects.toMatchObject({ kind: 'failed', message: 'oops' });
    await expect(runtime.create(wanted)).rejects.toMatchObject({ kind: 'conflict' });
    expect((await runtime.list()).map(({ identity }) => identity)).toContainEqual(wanted.identity);
  });

  it.each([
    ['that answers nonsense', { status: 200, body: 'this is not JSON' }],
    ['that answers a page of a proxy', { status: 502, body: '<html>bad gateway</html>' }],
    ['that is out of memory', { status: 500, body: '{"message":"cannot allocate memory"}' }],
  ])('%s fails the look, and nothing else', async (_case, instead) => {
    await expect(
      judged(
        () => ({ instead }),
        () => runtime.list(),
      ),
    ).rejects.toThrow();
    await runtime.list();
  });

  describe.each<[string, Verdict]>([
    ['does not answer about one container', 'hang-before'],
    ['fails for one container', { instead: { status: 500, body: '{"message":"input/output error"}' } }],
    ['says nonsense of one container', { instead: { status: 200, body: '{}' } }],
  ])('that %s', (_case, verdict) => {
    const about = (id: string) => (line: string) =>
      line.startsWith(`GET /containers/${id}/json`) ? verdict : 'pass';
    const seen = async (by: ContainerRuntime, id: string) =>
      (await by.list()).find((container) => container.id === id);
    const kill = async (id: string) => {
      await docker.getContainer(id).kill();
      await docker.getContainer(id).wait();
    };
    const fresh = () => createDockerRuntime({ socketPath: proxy.socketPath, owner });

    it('shows the others as they are, and this one as it was while it is listed so', async () => {
      const [silent, other] = [await start({ network: 'own' }), await start()];
      const eyes = fresh();
      const before = await until('it is known', async () => {
        const known = await seen(eyes, silent);
        return known?.state === 'running' && known.startedAt !== undefined && known;
      });
      await kill(other);
      const restless = new AbortController();
      // The stream of events begins: all that is known may be old.
      await new Promise<void>((onChange) =>
        eyes.follow({ onOpen: () => {}, onChange: () => onChange(), onLost: () => {} }, restless.signal),
      );
      restless.abort();
      await judged(about(silent), async () => {
        expect(await seen(eyes, silent)).toEqual(before);
        expect(await seen(eyes, other)).toMatchObject({ state: 'exited', exitCode: 137 });
        // Its end is believed by the list: it is to be started again.
        await kill(silent);
        expect(await seen(eyes, silent)).toMatchObject({
          identity: before.identity,
          state: 'exited',
          exitCode: 137,
          error: expect.stringContaining('does not say more'),
        });
      });
    });

    it('shows by the list alone what was never inspected: what runs as running, with its address', async () => {
      const id = await start({ network: 'own' });
      const created = await create();
      const whole = await seen(runtime, id);
      await judged(
        (line) => (about(id)(line) === 'pass' ? about(created)(line) : verdict),
        async () => {
          const eyes = fresh();
          const { startedAt: _unknown, pid: _neither, ...rest } = whole ?? {};
          expect(await seen(eyes, id)).toEqual(rest);
          expect(await seen(eyes, created)).toMatchObject({ state: 'created' });
        },
      );
    });
  });

  it('whose inspection hung is asked again when something happened to the container', async () => {
    const id = await create();
    await judged(
      (line) => (line.startsWith(`GET /containers/${id}/json`) ? 'hang-before' : 'pass'),
      () => runtime.list(),
    );
    await runtime.start(id);
    const seen = (await runtime.list()).find((container) => container.id === id);
    expect(seen).toMatchObject({ state: 'running', startedAt: expect.any(String) });
  });

  it('whose inspection hangs is not waited for at every look', async () => {
    const id = await start();
    const eyes = createDockerRuntime({ socketPath: proxy.socketPath, owner });
    await judged(
      (line) => (line.startsWith(`GET /containers/${id}/json`) ? 'hang-before' : 'pass'),
      async () => {
        for (let look = 0; look < 20; look++) await eyes.list();
      },
    );
    expect(proxy.requests.filter((line) => line.startsWith(`GET /containers/${id}/json`))).toHaveLength(1);
  });

  it('whose container vanishes between two calls of one look shows the others', async () => {
    // One that was only just made would not be asked about.
    const [gone, there] = [await start(), await create()];
    const look = await judged(
      (line) =>
        line === `GET /containers/${gone}/json?` || line === `GET /containers/${gone}/json`
          ? { instead: { status: 404, body: '{"message":"no such container"}' } }
          : 'pass',
      () => runtime.list(),
    );
    const ids = look.map(({ id }) => id);
    expect(ids).toContain(there);
    expect(ids).not.toContain(gone);
  });
});

describe('what is ours', () => {
  it('is not what carries our label without an identity', async () => {
    const { id } = await docker.createContainer({ Image: TEST_IMAGE, Labels: { [OWNER_LABEL]: owner } });
    expect((await runtime.list()).map((container) => container.id)).not.toContain(id);
    expect((await containersOf(owner)).map(({ Id }) => Id)).toContain(id);
  });

  it('is asked about in detail only once while nothing changes', async () => {
    await start();
    await runtime.list();
    const before = proxy.requests.length;
    await runtime.list();
    expect(proxy.requests.slice(before).filter((line) => !line.startsWith('GET /containers/json'))).toEqual(
      [],
    );
  });

  it('is on the engine that was named, whatever DOCKER_HOST says', async () => {
    process.env.DOCKER_HOST = 'tcp://127.0.0.1:1';
    try {
      const named = createDockerRuntime({ socketPath: proxy.socketPath, owner });
      expect((await named.list()).length).toBeGreaterThan(0);
    } finally {
      delete process.env.DOCKER_HOST;
    }
  });
});

describe('what an image says by itself', () => {
  it('of its health is not asked: the manifest says how', async () => {
    const Image = `fleetset-test/asks-${randomUUID()}`;
    const { Id } = await docker
      .getContainer(await create())
      .commit({ repo: Image, changes: 'HEALTHCHECK --interval=1s CMD touch /asked' });
    const id = await start({ image: Image });
    const { State } = await docker.getContainer(id).inspect();
    await runtime.remove(id);
    await docker.getImage(Id).remove({ force: true });
    expect(State.Health?.Status ?? 'none').toBe('none');
  });
});

describe('a command that runs out of time', () => {
  const HANGS = ['sleep', '4711'];
  const hanging = async (id: string) =>
    (await inside(id, 'ps', '-o', 'args')).split('\n').filter((line) => line === HANGS.join(' ')).length;
  /** Long enough for a loaded engine to begin it. */
  const LIMIT_MS = 2000;
  const runsOut = async (id: string) =>
    expect(runtime.exec(id, HANGS, LIMIT_MS)).rejects.toMatchObject({ kind: 'timeout' });
  const begun = (id: string) =>
    proxy.requests.filter((line) => line.startsWith(`POST /containers/${id}/exec`)).length;

  it('is ended, and begun anew the next time', async () => {
    const id = await start({ network: 'own' });
    for (let time = 0; time < 2; time++) {
      await until('it is begun when the engine has seen the end of the one before', async () => {
        const before = begun(id);
        await runsOut(id);
        return begun(id) === before + 1;
      });
      await until('nothing of it is left', async () => (await hanging(id)) === 0);
    }
  });

  it('is ended with all that it began', async () => {
    const id = await start({ network: 'own' });
    const children = ['sh', '-c', 'sleep 4711 & (sleep 4711; true); true'];
    await expect(runtime.exec(id, children, LIMIT_MS)).rejects.toMatchObject({ kind: 'timeout' });
    await until('nothing of it is left', async () => (await hanging(id)) === 0);
  });

  it('and cannot be ended from here is not begun a second time while it runs', async () => {
    const id = await start({ network: 'own' });
    const hidden: Verdict = { instead: { status: 200, body: '{"Running":true,"ExitCode":null,"Pid":0}' } };
    await judged(
      (line) => (line.startsWith('GET /exec/') ? hidden : 'pass'),
      async () => {
        for (let period = 0; period < 3; period++) await runsOut(id);
      },
    );
    expect(begun(id)).toBe(1);
    await until('the one runs', async () => (await hanging(id)) === 1);
    await inside(id, 'sh', '-c', `kill -9 $(ps -o pid,args | awk '/[s]leep 4711/ { print $1 }')`);
    const before = begun(id);
    await until('it is begun again when the engine has seen its end', async () => {
      await runsOut(id);
      return begun(id) > before;
    });
  });
});

describe('a registry that says no', () => {
  /** As registries do: 404 for what is not there, or 401 for what is not for everybody. */
  const registry = (status: number, code: string) =>
    createServer((request, response) => {
      const known = request.url === '/v2/';
      response.writeHead(known ? 200 : status, { 'content-type': 'application/json' });
      response.end(known ? '{}' : JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
    });

  it.each<[number, string, string]>([
    [404, 'MANIFEST_UNKNOWN', 'pull-refused'],
    [404, 'NAME_UNKNOWN', 'pull-refused'],
    [401, 'UNAUTHORIZED', 'pull-refused'],
    [403, 'DENIED', 'pull-refused'],
    [429, 'TOOMANYREQUESTS', 'pull-failed'],
    [503, 'UNAVAILABLE', 'pull-failed'],
  ])('is told from one that cannot answer: %i %s', async (status, code, kind) => {
    const server = registry(status, code).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const image = `127.0.0.1:${(server.address() as AddressInfo).port}/team/app:1`;
      await expect(runtime.pull(image, new AbortController().signal)).rejects.toMatchObject({ kind });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

it.each([
  ['Team/App', 'invalid reference format: repository name must be lowercase'],
  ['app:1:2', 'invalid reference format'],
  ['app@sha256:12', 'invalid reference format'],
])('the name %s, which no image can have, is told in the words of the engine', async (name, message) => {
  expect(await runtime.hasImage(name)).toBe(false);
  await expect(runtime.pull(name, new AbortController().signal)).rejects.toMatchObject({
    kind: 'invalid',
    message,
  });
});

describe('limits of time', () => {
  it.each([3_000_000, 2 ** 31 - 1])('a grace of %i s is no reason to give up', async (graceSeconds) => {
    const id = await runtime.create(settings(WRITES_AND_STAYS));
    await runtime.start(id);
    await until('it hears SIGTERM', async () => (await logOf(id)) === 'ready\n');
    await runtime.stop(id, graceSeconds);
    expect((await runtime.list()).find((container) => container.id === id)).toMatchObject({ exitCode: 7 });
  });

  it('an image without a tag is the one tagged latest, not every tag', async () => {
    await expect(runtime.pull('127.0.0.1:1/team/app', new AbortController().signal)).rejects.toMatchObject({
      kind: 'pull-failed',
    });
    const asked = decodeURIComponent(
      proxy.requests.findLast((line) => line.startsWith('POST /images/create?fromImage')) ?? '',
    );
    expect(asked).toContain('latest');
  });
});
