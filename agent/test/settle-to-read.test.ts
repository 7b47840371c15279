// What an agent goes by is flushed first, and a disk that cannot be flushed keeps no agent from running what it can read.
import { type FileHandle, mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startAgent } from '../src/agent.ts';
import { identityDirectory, writeIdentity } from '../src/identity/identity-files.ts';
import { joinPlane } from '../src/identity/join-plane.ts';
import { settleFolder, writeDurable } from '../src/state/durable-file.ts';
import { createAuthority, nodeSubject } from './certificates.ts';
import { openScriptedPlane } from './scripted-plane.ts';
import { tempDirectory } from './temp-directory.ts';

/** Answers the inodes of what is flushed from now on; `fails`: nothing can be. */
async function watchFlushes(fails = false): Promise<number[]> {
  const flushed: number[] = [];
  const handle = await open('/', 'r');
  const real: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const sync = real.sync;
  const spy = vi.spyOn(real, 'sync').mockImplementation(async function (this: FileHandle) {
    if (fails) throw Object.assign(new Error('EROFS: read-only file system, fsync'), { code: 'EROFS' });
    flushed.push((await this.stat()).ino);
    await sync.call(this);
  });
  onTestFinished(() => spy.mockRestore());
  return flushed;
}

async function joined(): Promise<string> {
  const dataDir = await tempDirectory();
  const authority = createAuthority();
  await writeIdentity(dataDir, {
    nodeName: 'n1',
    planeAddress: '127.0.0.1:9',
    caCertificate: authority.certificate,
    ...authority.issue(nodeSubject('n1')),
  });
  await mkdir(join(dataDir, 'bodies'));
  return dataDir;
}

const run = async (dataDir: string, logger: Logger) => {
  const agent = await startAgent({
    dataDir,
    logger,
    dockerSocket: join(dataDir, 'none.sock'),
    labels: {},
    taints: [],
    version: 'test',
  });
  await agent.stop();
  return agent;
};

it('an agent flushes the folders of its identity, of what it was told, and of its bodies', async () => {
  const dataDir = await joined();
  const folders = [identityDirectory(dataDir), dataDir, join(dataDir, 'bodies')];
  const flushed = await watchFlushes();
  await run(dataDir, pino({ enabled: false }));
  const inodes = await Promise.all(folders.map(async (folder) => (await stat(folder)).ino));
  expect(flushed.slice(0, 3)).toEqual(inodes);
});

it('an agent whose disk cannot be flushed runs all the same, and says what that means', async () => {
  const dataDir = await joined();
  await watchFlushes(true);
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  expect((await run(dataDir, logger)).nodeName).toBe('n1');
  expect(lines.filter((line) => line.includes('may be gone after a power cut'))).toHaveLength(3);
});

describe('a machine that joins', () => {
  async function joining() {
    const plane = await openScriptedPlane({ clientCertificates: false });
    onTestFinished(() => plane.goDown());
    const asked: string[] = [];
    plane.answerJoin((request) => {
      asked.push(request.nodeName);
      return {
        certificate: plane.authority.certify(request.publicKey, nodeSubject(request.nodeName)),
        caCertificate: plane.authority.certificate,
      };
    });
    const dataDir = await tempDirectory();
    await mkdir(identityDirectory(dataDir));
    const key = join(identityDirectory(dataDir), 'node.key');
    await writeFile(key, createAuthority().issue(nodeSubject('n1')).key);
    const joins = () =>
      joinPlane({
        planeAddress: plane.address(),
        token: 'abcdef.0123456789abcdef',
        caHash: plane.authority.hash,
        nodeName: 'n1',
        dataDir,
      });
    return { dataDir, asked, joins };
  }

  it('asks with no key that it found and cannot flush', async () => {
    const { asked, joins } = await joining();
    await watchFlushes(true);
    await expect(joins()).rejects.toMatchObject({ code: 'EROFS' });
    expect(asked).toEqual([]);
  });

  it('has forgotten for good what it was told before', async () => {
    const { dataDir, joins } = await joining();
    await writeFile(join(dataDir, 'desired.pb'), 'of another plane');
    const flushed = await watchFlushes();
    await joins();
    expect(flushed).toContain((await stat(dataDir)).ino);
  });
});

it('a file in a folder that it makes is there with the folder: that is flushed in its own', async () => {
  const directory = await tempDirectory();
  const flushed = await watchFlushes();
  await writeDurable(join(directory, 'made', 'file'), 'text');
  expect(flushed).toContain((await stat(directory)).ino);
});

it('in a folder that is not there nothing is to be flushed', async () => {
  await expect(settleFolder(join(await tempDirectory(), 'none'))).resolves.toBeUndefined();
});
