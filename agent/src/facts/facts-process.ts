// The process that asks systeminformation, and prints what it says as JSON. The only file that imports it.
import { readFileSync } from 'node:fs';
import { arch, networkInterfaces } from 'node:os';
import { cpu, fsSize, mem, networkInterfaceDefault, osInfo, uuid } from 'systeminformation';
import type { MachineFacts } from './machine-facts.ts';

const firstLine = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
};

const ARCHITECTURES: { readonly [name: string]: string } = { x64: 'amd64', arm64: 'arm64', arm: 'arm' };

async function gather(): Promise<MachineFacts> {
  const [os, memory, processor, ids, interfaceName, disks] = await Promise.all([
    osInfo(),
    mem(),
    cpu(),
    uuid(),
    networkInterfaceDefault(),
    fsSize(),
  ]);
  const addresses = networkInterfaces();
  const external = Object.values(addresses)
    .flat()
    .filter((address) => address && !address.internal);
  const chosen = [...(addresses[interfaceName] ?? []), ...external].find(
    (address) => address?.family === 'IPv4',
  );
  const root = disks.find(({ mount }) => mount === '/');
  return {
    ip: chosen?.address ?? external[0]?.address,
    cpus: processor.cores || 1,
    memoryBytes: memory.total,
    diskBytes: root?.size ?? 0,
    osImage: [os.distro, os.release, os.codename ? `(${os.codename})` : '']
      .filter((part) => part !== '')
      .join(' '),
    kernelVersion: os.kernel,
    architecture: ARCHITECTURES[arch()] ?? arch(),
    operatingSystem: process.platform,
    machineId: firstLine('/etc/machine-id'),
    bootId: firstLine('/proc/sys/kernel/random/boot_id'),
    systemUuid: ids.hardware || ids.os,
  };
}

process.stdout.write(JSON.stringify(await gather()));
