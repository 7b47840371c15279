// A pod's volumes: set up once, kept over restarts of the agent, never deleted through a mount.
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigData } from '@fleetset/scheduler-core/node/config-data';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Volume } from '@fleetset/scheduler-core/schema/volume';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Mounts, systemMounts } from '../../src/volumes/mounts.ts';
import { openPodVolumes, VolumeFailure, type VolumePod } from '../../src/volumes/pod-volumes.ts';
import { plainMounts } from '../plain-mounts.ts';
import { smallDisksWork } from '../small-disk.ts';
import { tempDirectory } from '../temp-directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await tempDirectory();
});

const open = (mounts: Mounts = plainMounts) => openPodVolumes(join(directory, 'pods'), mounts);
const UID = 'uid-1';
const pathOf = (volume: string, ...inside: string[]) =>
  join(directory, 'pods', UID, 'volumes', volume, ...inside);

/** A pod that mounts every volume it has. `data`: of the ConfigMap "app"; absent: there is none. */
function pod(
  volumes: readonly Volume[],
  data?: { readonly [key: string]: string },
  over: Partial<PodSpec> = {},
): VolumePod {
  const config: ConfigData | 'missing' = data ? { data } : 'missing';
  return {
    mappedRoot: 0,
    spec: {
      containers: [
        { name: 'main', volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })) },
      ],
      volumes,
      ...over,
    },
    facts: {
      name: 'web-abcde',
      namespace: 'default',
      uid: UID,
      labels: {},
      annotations: {},
      nodeName: 'node',
      serviceAccountName: 'default',
      allocatable: { cpus: 1, memoryBytes: 2 ** 30, diskBytes: 0 },
    },
    config: { lookup: () => config, tokens: () => 'none', pullSecrets: [], state: JSON.stringify(config) },
  };
}

const CONFIG: Volume = { name: 'conf', configMap: { name: 'app' } };
const EMPTY: Volume = { name: 'tmp', emptyDir: {} };
const failureOf = (run: Promise<void>) =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('volumes', () => {
  it('of a ConfigMap follow it, and are kept when it is gone', async () => {
    const volumes = open();
    await volumes.ensure(pod([CONFIG], { a: 'one' }));
    await volumes.refresh(pod([CONFIG], { a: 'two', b: 'three' }));
    expect(await readFile(pathOf('conf', 'a'), 'utf8')).toBe('two');
    const failure = await failureOf(volumes.refresh(pod([CONFIG])));
    expect(failure).toBeInstanceOf(VolumeFailure);
    expect(failure).toMatchObject({
      message: 'MountVolume.SetUp failed for volume "conf" : configmap "app" not found',
      forConfig: true,
    });
    expect(await readFile(pathOf('conf', 'b'), 'utf8')).toBe('three');
    // Another agent, without the ConfigMap: the pod may go on with what is there.
    await open().ensure(pod([CONFIG]));
    expect(await readFile(pathOf('conf', 'b'), 'utf8')).toBe('three');
  });

  it('of what was never there stop the pod, and are set up when it appears', async () => {
    const volumes = open();
    expect(await failureOf(volumes.ensure(pod([EMPTY, CONFIG])))).toMatchObject({ forConfig: true });
    await volumes.ensure(pod([EMPTY, CONFIG], { a: 'one' }));
    expect(await readFile(pathOf('conf', 'a'), 'utf8')).toBe('one');
  });

  it('are begun while their config is on its way, and filled when it is there', async () => {
    const volumes = open();
    await volumes.begin(pod([CONFIG]));
    expect(await readdir(join(pathOf('conf', 'a'), '..'))).toEqual([]);
    expect(await failureOf(volumes.ensure(pod([CONFIG])))).toMatchObject({ forConfig: true });
    await volumes.ensure(pod([CONFIG], { a: 'one' }));
    expect(await readFile(pathOf('conf', 'a'), 'utf8')).toBe('one');
  });

  it('that are only read have a place for what is mounted in them, also when they change', async () => {
    const volumes = open();
    const login: Volume = { name: 'login', projected: { sources: [{ configMap: { name: 'app' } }] } };
    const volumeMounts = [
      { name: 'conf', mountPath: 'conf' },
      { name: 'tmp', mountPath: '/conf/deep/tmp/' },
      { name: 'login', mountPath: '/conf/deep/tmp/login' },
      { name: 'login', mountPath: '/conf/extra', subPath: 'a' },
      { name: 'login', mountPath: '/conf/a', subPath: 'a' },
    ];
    const given = (data: { readonly [key: string]: string }) =>
      pod([CONFIG, EMPTY, login], data, { containers: [{ name: 'main', volumeMounts }] });
    const kinds = async () =>
      (await readdir(pathOf('conf'), { withFileTypes: true }))
        .filter(({ name }) => !name.startsWith('..'))
        .map((entry) => `${entry.name} ${entry.isDirectory() ? 'd' : entry.isFile() ? 'f' : 'l'}`);
    await volumes.ensure(given({ a: 'one' }));
    expect(await kinds()).toEqual(['a f', 'deep d', 'extra f']);
    expect(await readdir(pathOf('conf', 'deep', 'tmp'))).toEqual([]);
    await volumes.refresh(given({ a: 'two', b: 'three', deep: 'four' }));
    expect(await kinds()).toEqual(['a f', 'b l', 'deep d', 'extra f']);
    await open().ensure(given({ a: 'two' }));
    expect(await kinds()).toEqual(['a f', 'deep d', 'extra f']);
  });

  // The bug this found: a start failed for a file in the place of a directory, and an update took a mounted file away.
  it('have no file where something is mounted, but where it is not known what', async () => {
    const login: Volume = { name: 'login', configMap: { name: 'app' } };
    const volumeMounts = [
      { name: 'conf', mountPath: '/conf' },
      { name: 'tmp', mountPath: '/conf/a' },
      { name: 'login', mountPath: '/conf/b/deep' },
      { name: 'login', mountPath: '/conf/c', subPath: 'a' },
      { name: 'login', mountPath: '/conf/d', subPathExpr: 'a' },
      { name: 'tmp', mountPath: '/conf/e', subPath: 'none yet' },
    ];
    const data = { a: '1', b: '2', c: '3', d: '4', e: '5', f: '6' };
    const given = pod([CONFIG, EMPTY, login], data, { containers: [{ name: 'main', volumeMounts }] });
    const links = async () =>
      (await readdir(pathOf('conf'), { withFileTypes: true }))
        .filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith('..'))
        .map(({ name }) => name);
    await open().ensure(given);
    expect(await links()).toEqual(['d', 'e', 'f']);
    expect(await readdir(pathOf('conf', 'b'))).toEqual(['deep']);
    const volumes = open();
    await volumes.ensure(given);
    expect(await links()).toEqual(['d', 'e', 'f']);
    // What is hidden can be mounted by itself all the same.
    const source = await volumes.sourceOf(given, CONFIG, 'b', 'main', 6);
    expect(await readFile(source, 'utf8')).toBe('2');
  });

  it('that no container mounts are not set up', async () => {
    const unused = pod([CONFIG]);
    await open().ensure({ ...unused, spec: { ...unused.spec, containers: [{ name: 'main' }] } });
    expect(await readdir(directory)).toEqual([]);
  });

  it('that are empty directories are writable for all, and the containers’ from then on', async () => {
    await open().ensure(pod([EMPTY]));
    expect((await stat(pathOf('tmp'))).mode & 0o7777).toBe(0o777);
    await writeFile(pathOf('tmp', 'kept'), 'x');
    await chmod(pathOf('tmp'), 0o700);
    await open().ensure(pod([EMPTY]));
    expect((await stat(pathOf('tmp'))).mode & 0o7777).toBe(0o700);
    expect(await readdir(pathOf('tmp'))).toEqual(['kept']);
  });

  it('belong to fsGroup', async () => {
    await open().ensure(pod([EMPTY, CONFIG], { a: 'one' }, { securityContext: { fsGroup: 4321 } }));
    const [empty, file] = [await stat(pathOf('tmp')), await stat(pathOf('conf', 'a'))];
    expect([empty.gid, empty.mode & 0o7777]).toEqual([4321, 0o2777]);
    expect([file.gid, file.mode & 0o777]).toEqual([4321, 0o644]);
  });

  it('go with their pod, and with pods that nobody knows', async () => {
    const volumes = open();
    await volumes.ensure(pod([EMPTY, CONFIG], { a: 'one' }));
    await volumes.remove(UID);
    expect(await readdir(join(directory, 'pods'))).toEqual([]);
    await volumes.ensure(pod([EMPTY]));
    await volumes.removeAllBut(new Set([UID]));
    expect(await readdir(join(directory, 'pods'))).toEqual([UID]);
    await volumes.removeAllBut(new Set());
    expect(await readdir(join(directory, 'pods'))).toEqual([]);
  });

  it('that are still mounted are not deleted: behind them lies the host', async () => {
    const volumes = open({ ...plainMounts, unmountAll: () => Promise.reject(new Error('still mounted')) });
    await volumes.ensure(pod([EMPTY]));
    await writeFile(pathOf('tmp', 'precious'), 'x');
    await expect(volumes.remove(UID)).rejects.toThrow('still mounted');
    expect(await readdir(pathOf('tmp'))).toEqual(['precious']);
  });

  it('in memory that cannot be mounted stop the pod: nothing secret lies on the disk instead', async () => {
    const volumes = open({ ...plainMounts, tmpfs: () => Promise.reject(new Error('permission denied')) });
    const secret: Volume = { name: 'key', secret: { secretName: 'app' } };
    const failure = await failureOf(volumes.ensure(pod([secret], { a: 'b25l' })));
    expect(failure).toMatchObject({
      message: 'MountVolume.SetUp failed for volume "key" : permission denied',
      forConfig: false,
    });
    expect(await readdir(pathOf('key'))).toEqual([]);
  });
});

describe.skipIf(!smallDisksWork)('with mounts of their own', () => {
  const openReal = () => {
    onTestFinished(() => systemMounts.unmountAll(directory));
    return open(systemMounts);
  };
  const fileSystemOf = async (path: string) =>
    (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .filter((line) => line.split(' ')[4] === path);

  it('Secrets lie in memory, and an emptyDir in memory is as large as it may be', async () => {
    const volumes = openReal();
    const secret: Volume = { name: 'key', secret: { secretName: 'app', defaultMode: 0o400 } };
    const memory: Volume = { name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '64Ki' } };
    await volumes.ensure(pod([secret, memory], { token: 'czNjcmV0' }));
    expect(await readFile(pathOf('key', 'token'), 'utf8')).toBe('s3cret');
    expect(await fileSystemOf(pathOf('key'))).toEqual([expect.stringContaining(' tmpfs ')]);
    await expect(writeFile(pathOf('fast', 'big'), Buffer.alloc(1 << 20))).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    // A second agent mounts nothing on top.
    await open(systemMounts).ensure(pod([secret, memory], { token: 'czNjcmV0' }));
    expect(await fileSystemOf(pathOf('fast'))).toHaveLength(1);
    await volumes.remove(UID);
    expect(await readdir(join(directory, 'pods'))).toEqual([]);
  });

  it('in memory are made again after a reboot', async () => {
    const volumes = openReal();
    const secret: Volume = { name: 'key', secret: { secretName: 'app' } };
    await volumes.ensure(pod([secret], { token: 'czNjcmV0' }));
    await systemMounts.unmountAll(directory);
    expect(await readdir(pathOf('key'))).toEqual([]);
    await open(systemMounts).ensure(pod([secret], { token: 'czNjcmV0' }));
    expect(await readFile(pathOf('key', 'token'), 'utf8')).toBe('s3cret');
  });

  describe('a path in a volume', () => {
    const bind = async (volume: Volume, subPath: string, index = 0) => {
      const volumes = openReal();
      const whole = pod([volume]);
      await volumes.ensure(whole);
      return volumes.sourceOf(whole, volume, subPath, 'main', index);
    };

    it('is made when it is missing, and what is done to one is done to the other', async () => {
      const source = await bind(EMPTY, 'a/b');
      expect((await stat(source)).mode & 0o777).toBe(0o777);
      await writeFile(join(source, 'x'), 'hello');
      expect(await readFile(pathOf('tmp', 'a/b/x'), 'utf8')).toBe('hello');
    });

    it('may be a file of the host', async () => {
      await writeFile(join(directory, 'passwd'), 'root');
      const source = await bind({ name: 'h', hostPath: { path: directory } }, 'passwd');
      expect(await readFile(source, 'utf8')).toBe('root');
      // What was bound is unbound before the pod's directory goes.
      await openReal().remove(UID);
      expect(await readFile(join(directory, 'passwd'), 'utf8')).toBe('root');
    });

    it('may lead over a link, if that stays inside', async () => {
      await mkdir(join(directory, 'h/real'), { recursive: true });
      await writeFile(join(directory, 'h/real/f'), 'inside');
      await symlink('real', join(directory, 'h/link'));
      const source = await bind({ name: 'h', hostPath: { path: join(directory, 'h') } }, 'link');
      expect(await readFile(join(source, 'f'), 'utf8')).toBe('inside');
    });

    it('may have a name that begins with two dots, also behind a link', async () => {
      await mkdir(join(directory, 'h/..2024/x'), { recursive: true });
      await symlink('..2024', join(directory, 'h/current'));
      for (const [index, path] of ['..2024', 'current/x'].entries())
        await bind({ name: 'h', hostPath: { path: join(directory, 'h') } }, path, index);
    });

    it('is the one that is there when the container is made anew', async () => {
      const volume = { name: 'h', hostPath: { path: directory } };
      const file = join(directory, 'conf');
      for (const text of ['one', 'two']) {
        await writeFile(`${file}.new`, text);
        await rename(`${file}.new`, file);
        expect(await readFile(await bind(volume, 'conf'), 'utf8')).toBe(text);
      }
      await rm(file);
      await mkdir(file);
      expect((await stat(await bind(volume, 'conf'))).isDirectory()).toBe(true);
    });

    it('whose place a link to nothing has is refused, each time in the same words', async () => {
      await mkdir(join(directory, 'h'));
      await symlink('nothing', join(directory, 'h/link'));
      const volume = { name: 'h', hostPath: { path: join(directory, 'h') } };
      await expect(bind(volume, 'link/x')).rejects.toThrow(
        /^directory "link" cannot be made: a link to nothing is in its place$/,
      );
    });

    it.each<[string, string, string]>([
      ['to the host', '/etc', 'link/passwd'],
      ['a step up', '..', 'link'],
      ['to itself', 'link', 'link/x'],
    ])('that is a link %s is refused', async (_where, target, subPath) => {
      await mkdir(join(directory, 'h'));
      await symlink(target, join(directory, 'h/link'));
      await expect(bind({ name: 'h', hostPath: { path: join(directory, 'h') } }, subPath)).rejects.toThrow();
    });

    it('of a ConfigMap is the file as it is when the container starts', async () => {
      const volumes = openReal();
      const whole = pod([CONFIG], { a: 'one' });
      await volumes.ensure(whole);
      const source = await volumes.sourceOf(whole, CONFIG, 'a', 'main', 0);
      await volumes.refresh(pod([CONFIG], { a: 'two' }));
      expect(await readFile(source, 'utf8')).toBe('two');
      expect(await realpath(source)).toContain('/conf/..2');
      await expect(volumes.sourceOf(whole, CONFIG, 'none', 'main', 0)).rejects.toMatchObject({
        code: 'ENOENT',
      });
    });
  });
});
