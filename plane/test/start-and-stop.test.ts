// Starting and stopping: what is made once and kept, what is told to people, and what a start that fails leaves behind.

import { X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { adminKubeconfig } from '../src/identity/admin-kubeconfig.ts';
import { openAuthority } from '../src/identity/authority.ts';
import { type Plane, type PlaneOptions, startPlane } from '../src/plane.ts';
import { createApiClient } from './support/api-client.ts';
import { tempDir } from './support/temp-dir.ts';
import { adminCredentials, startTestPlane } from './support/test-plane.ts';

const options = (dataDir: string, more: Partial<PlaneOptions> = {}): PlaneOptions => ({
  dataDir,
  api: { host: '127.0.0.1', port: 0 },
  agents: { host: '127.0.0.1', port: 0 },
  advertise: ['127.0.0.1'],
  nodeMonitorGraceMs: 600_000,
  version: 'v',
  logger: pino({ level: 'silent' }),
  ...more,
});

/** The file as kubectl would read it: every value is on a line of its own. */
const valueIn = (kubeconfig: string, key: string): string =>
  new RegExp(`${key}: (\\S+)`).exec(kubeconfig)?.[1] ?? '';
const decoded = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
const file = (dataDir: string, name: string): string => readFileSync(join(dataDir, 'pki', name), 'utf8');

const joinAddress = async ({ apiPort }: Plane, dataDir: string): Promise<string> => {
  const api = createApiClient(() => apiPort, await adminCredentials(dataDir));
  const { data } = await api.ok('GET', '/api/v1/namespaces/kube-public/configmaps/fleetset-info');
  api.close();
  return data.agentAddress;
};

const startAndStop = async (dataDir: string) => {
  const plane = await startPlane(options(dataDir));
  await adminKubeconfig(dataDir, undefined);
  await plane.stop();
};

describe('a plane that starts', () => {
  it('writes a kubeconfig for its administrator alone, with which everything can be done', async () => {
    const dataDir = tempDir();
    const kubeconfig = join(dataDir, 'deeper', 'kubeconfig');
    const plane = await startPlane(options(dataDir, { kubeconfig, advertise: ['localhost', '127.0.0.1'] }));
    expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
    const text = readFileSync(kubeconfig, 'utf8');
    expect(valueIn(text, 'server')).toBe(`https://localhost:${plane.apiPort}`);
    expect(await adminKubeconfig(dataDir, undefined)).toBe(text);
    expect(valueIn(await adminKubeconfig(dataDir, 'https://other:1'), 'server')).toBe('https://other:1');
    const api = createApiClient(() => plane.apiPort, {
      ca: decoded(valueIn(text, 'certificate-authority-data')),
      cert: decoded(valueIn(text, 'client-certificate-data')),
      key: decoded(valueIn(text, 'client-key-data')),
    });
    await api.ok('POST', '/api/v1/namespaces', { metadata: { name: 'mine' } });
    api.close();
    await plane.stop();
  });

  it('keeps its keys to itself, its CA for ever, and its own certificate as long as its names stay', async () => {
    const dataDir = tempDir();
    const certificates: string[][] = [];
    for (const advertise of [['127.0.0.1'], ['127.0.0.1'], ['127.0.0.1', 'plane.example.com']]) {
      const plane = await startPlane(options(dataDir, { advertise }));
      await adminKubeconfig(dataDir, undefined);
      certificates.push(['ca.crt', 'server.crt', 'admin.crt'].map((name) => file(dataDir, name)));
      await plane.stop();
    }
    const [first, second, third] = certificates;
    expect(second).toEqual(first);
    expect(third?.[0]).toBe(first?.[0]);
    expect(third?.[1]).not.toBe(first?.[1]);
    expect(third?.[2]).toBe(first?.[2]);
    const server = new X509Certificate(third?.[1] ?? '');
    for (const name of ['plane.example.com', 'localhost', 'plane.fleetset.internal'])
      expect(server.checkHost(name)).toBe(name);
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    for (const key of ['ca.key', 'server.key', 'admin.key'])
      expect(statSync(join(dataDir, 'pki', key)).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir, 'pki')).mode & 0o777).toBe(0o700);
  });

  it('refuses to make another CA when only half of its own is there', async () => {
    const dataDir = tempDir();
    await openAuthority(join(dataDir, 'pki'));
    rmSync(join(dataDir, 'pki', 'ca.crt'));
    await expect(startPlane(options(dataDir))).rejects.toThrow(
      /ca\.key is there but ca\.crt is not; restore it from a backup/,
    );
  });

  it('refuses a CA whose key and certificate do not fit together, and names both files', async () => {
    const [dataDir, other] = [tempDir(), tempDir()];
    for (const each of [dataDir, other]) await openAuthority(join(each, 'pki'));
    copyFileSync(join(other, 'pki', 'ca.crt'), join(dataDir, 'pki', 'ca.crt'));
    await expect(startPlane(options(dataDir))).rejects.toThrow(/ca\.key and ca\.crt do not fit together/);
  });

  // The bug this found: a plane that was cut off between the two renames of a renewal never started again.
  it.each<[string, (dataDir: string) => Promise<void> | void]>([
    [
      'a renewal left a new one with the old key',
      async (dataDir) => {
        const oldKey = file(dataDir, 'server.key');
        rmSync(join(dataDir, 'pki', 'server.key'));
        await startAndStop(dataDir);
        writeFileSync(join(dataDir, 'pki', 'server.key'), oldKey);
      },
    ],
    ['the key is empty', (dataDir) => writeFileSync(join(dataDir, 'pki', 'server.key'), '')],
    ['it is empty', (dataDir) => writeFileSync(join(dataDir, 'pki', 'server.crt'), '')],
    [
      'the CA is another one',
      (dataDir) => {
        for (const name of ['ca.crt', 'ca.key']) rmSync(join(dataDir, 'pki', name));
      },
    ],
  ])('makes its certificate anew when %s', async (_what, damage) => {
    const dataDir = tempDir();
    await startAndStop(dataDir);
    await damage(dataDir);
    const plane = await startPlane(options(dataDir));
    const api = createApiClient(() => plane.apiPort, await adminCredentials(dataDir));
    expect((await api.ok('GET', '/api/v1/nodes')).items).toEqual([]);
    api.close();
    await plane.stop();
  });

  it('tells machines that want to join where to go, and keeps that up to date', async () => {
    const plane = await startTestPlane();
    const path = '/api/v1/namespaces/kube-public/configmaps/fleetset-info';
    expect((await plane.api.ok('GET', path)).data).toEqual({
      agentAddress: plane.agentAddress,
      caHash: plane.caHash,
    });
    const { uid } = (await plane.api.ok('GET', path)).metadata;
    await plane.restart();
    expect((await plane.api.ok('GET', path)).metadata.uid).toBe(uid);
    await plane.stop();
  });

  it('has the namespaces that Kubernetes has, made once', async () => {
    const plane = await startTestPlane();
    const uids = async () =>
      (await plane.api.ok('GET', '/api/v1/namespaces')).items.map(
        ({ metadata }: { metadata: { name: string; uid: string } }) => [metadata.name, metadata.uid],
      );
    const before = await uids();
    expect(before.map(([name]: string[]) => name)).toEqual([
      'default',
      'kube-node-lease',
      'kube-public',
      'kube-system',
    ]);
    await plane.restart();
    expect(await uids()).toEqual(before);
    await plane.stop();
  });
});

const loopback6 = Object.values(networkInterfaces())
  .flat()
  .some((own) => own?.address === '::1');

describe('addresses', () => {
  it.runIf(loopback6)('may be IPv6, for people and agents alike', async () => {
    const dataDir = tempDir();
    const kubeconfig = join(dataDir, 'kubeconfig');
    const api = { host: '::', port: 0 };
    const agents = { host: '::1', port: 0 };
    const plane = await startPlane(options(dataDir, { api, agents, advertise: ['::1'], kubeconfig }));
    expect(valueIn(readFileSync(kubeconfig, 'utf8'), 'server')).toBe(`https://[::1]:${plane.apiPort}`);
    expect(await joinAddress(plane, dataDir)).toBe(`[::1]:${plane.agentPort}`);
    await plane.stop();
  });

  it('of the API and of agents may differ, and each is told to whom it concerns', async () => {
    const dataDir = tempDir();
    const kubeconfig = join(dataDir, 'kubeconfig');
    const agents = { host: '127.0.0.2', port: 0 };
    const plane = await startPlane(
      options(dataDir, { agents, advertise: ['127.0.0.1', '127.0.0.2'], agentHost: '127.0.0.2', kubeconfig }),
    );
    expect(valueIn(readFileSync(kubeconfig, 'utf8'), 'server')).toBe(`https://127.0.0.1:${plane.apiPort}`);
    expect(await joinAddress(plane, dataDir)).toBe(`127.0.0.2:${plane.agentPort}`);
    await plane.stop();
  });

  it('that are not this machine’s are named', async () => {
    const agents = { host: '192.0.2.1', port: 0 };
    await expect(startPlane(options(tempDir(), { agents }))).rejects.toThrow(
      /^agents cannot be listened for at 192\.0\.2\.1:0: listen EADDRNOTAVAIL/,
    );
  });
});

describe('a start that fails', () => {
  it.each(['api', 'agents'] as const)(
    'for the %s address is taken lets everything go again',
    async (which) => {
      const blocker = createServer();
      await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
      const address = blocker.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const dataDir = tempDir();
      const taken = { [which]: { host: '127.0.0.1', port } };
      await expect(startPlane(options(dataDir, taken))).rejects.toThrow(/EADDRINUSE|address/i);
      blocker.close();
      const plane = await startPlane(options(dataDir));
      await plane.stop();
    },
  );
});

it('a kubeconfig that cannot be written where it should be is left nowhere else', async () => {
  const dataDir = tempDir();
  const kubeconfig = join(dataDir, 'directory');
  mkdirSync(kubeconfig);
  await expect(startPlane(options(dataDir, { kubeconfig }))).rejects.toThrow(/EISDIR/);
  expect(existsSync(`${kubeconfig}.new`)).toBe(false);
});

describe('a plane that stops', () => {
  it('answers nobody any more, and can be stopped only so far', async () => {
    const plane = await startTestPlane();
    await plane.api.ok('GET', '/api/v1/nodes');
    await plane.stop();
    await expect(plane.api.call('GET', '/api/v1/nodes')).rejects.toThrow();
    await plane.stop();
  });
});
