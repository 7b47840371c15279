// Who listens on this machine: real sockets of this very process, and a made-up machine for what cannot be had here.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { takenPorts } from '../../src/facts/host-ports.ts';
import { tempDirectory } from '../temp-directory.ts';

const NOBODY = new Map<string, string>();

async function listen(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

it.each([
  ['on one address', '127.0.0.1', { ip: '127.0.0.1' }],
  ['on every address', '0.0.0.0', {}],
  ['on one of the newer kind', '::1', { ip: '::1' }],
])('a server %s is found, with its process', async (_what, host, ip) => {
  const port = await listen(host);
  expect(await takenPorts([{ protocol: 'TCP', port }], NOBODY)).toEqual([
    { protocol: 'TCP', port, ...ip, program: expect.stringContaining(`(process ${process.pid})`) },
  ]);
});

it('what is not asked for, or under the other protocol, is not told', async () => {
  const port = await listen('127.0.0.1');
  expect(await takenPorts([{ protocol: 'UDP', port }], NOBODY)).toEqual([]);
  expect(await takenPorts([{ protocol: 'TCP', port, ip: '192.0.2.1' }], NOBODY)).toEqual([]);
});

it('a UDP socket is found as well', async () => {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  expect(await takenPorts([{ protocol: 'UDP', port }], NOBODY)).toMatchObject([{ protocol: 'UDP', port }]);
});

it('a process in a container of ours is told by its pod; one that nobody may look into is not named', async () => {
  const proc = await tempDirectory();
  await mkdir(join(proc, 'net'));
  const line = (port: number, inode: number, state = '0A') =>
    `   0: 00000000:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1`;
  const lines = [line(9100, 11), line(9101, 12), line(9102, 13, '01')];
  await writeFile(join(proc, 'net', 'tcp'), ['  sl  local_address', ...lines, ''].join('\n'));
  await mkdir(join(proc, '77', 'fd'), { recursive: true });
  await symlink('socket:[11]', join(proc, '77', 'fd', '3'));
  await writeFile(join(proc, '77', 'comm'), 'exporter\n');
  await writeFile(join(proc, '77', 'cgroup'), '12:cpu:/docker/abc123\n');
  const claims = [9100, 9101, 9102].map((port) => ({ protocol: 'TCP', port }));
  expect(await takenPorts(claims, new Map([['abc123', 'uid-1']]), proc)).toEqual([
    { protocol: 'TCP', port: 9100, program: 'exporter (process 77)', podUid: 'uid-1' },
    { protocol: 'TCP', port: 9101 },
  ]);
});
