// The status a node tells: what it has, what is left for pods, what it is short of.
import { describe, expect, it } from 'vitest';
import { type NodeStatusInput, nodeStatus } from '../../src/facts/node-status.ts';
import { DEFAULT_NODE_SETTINGS } from '../../src/node-settings.ts';

const GI = 2 ** 30;
const statusOf = (more: Partial<NodeStatusInput> = {}) =>
  nodeStatus({
    nodeName: 'n1',
    facts: {
      ip: '10.0.0.1',
      cpus: 4,
      memoryBytes: 8 * GI,
      diskBytes: 100 * GI,
      osImage: '',
      kernelVersion: '',
      architecture: 'amd64',
      operatingSystem: 'linux',
      machineId: '',
      bootId: '',
      systemUuid: '',
    },
    agentVersion: '0',
    runtimeVersion: undefined,
    engineTrouble: undefined,
    pressure: {},
    reserved: DEFAULT_NODE_SETTINGS.reserved,
    ...more,
  });

describe('a node', () => {
  it('has what the machine has, and nothing is reserved unless asked for', () => {
    const { capacity, allocatable } = statusOf();
    expect(capacity).toEqual({
      cpu: '4',
      memory: '8388608Ki',
      'ephemeral-storage': '104857600Ki',
      pods: '110',
    });
    expect(allocatable).toEqual(capacity);
  });

  it.each([
    [{ cpuMillis: 250, memoryBytes: GI, diskBytes: 10 * GI }, ['3750m', '7340032Ki', '94371840Ki']],
    [{ cpuMillis: 2000, memoryBytes: 0, diskBytes: 0 }, ['2', '8388608Ki', '104857600Ki']],
    [{ cpuMillis: 9000, memoryBytes: 9 * GI, diskBytes: 900 * GI }, ['0', '0Ki', '0Ki']],
  ])('leaves to pods what is not reserved: %j', (reserved, left) => {
    const { capacity, allocatable } = statusOf({ reserved });
    expect([allocatable?.cpu, allocatable?.memory, allocatable?.['ephemeral-storage']]).toEqual(left);
    expect(capacity).toMatchObject({ cpu: '4', memory: '8388608Ki' });
  });

  it('is ready though it is short of something, as in Kubernetes', () => {
    const shortage = { metAt: 0, message: 'memory.available is below 100Mi.' };
    const { conditions = [] } = statusOf({ pressure: { MemoryPressure: shortage } });
    expect(conditions.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'MemoryPressure=True',
      'DiskPressure=False',
      'PIDPressure=False',
      'Ready=True',
    ]);
  });
});
