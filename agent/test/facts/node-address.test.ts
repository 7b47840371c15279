// Which of a machine's addresses is the node's.
import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { chooseAddress, nodeAddress } from '../../src/facts/node-address.ts';

const at = (address: string, internal = false) =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo;

const HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (name: string, metric = 0, flags = '0003', destination = '00000000', mask = '00000000') =>
  `${name}\t${destination}\t010200C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

const LO = [at('127.0.0.1', true), at('::1', true)];
const DOCKER = [at('172.17.0.1')];
const ETH = [at('fe80::1'), at('10.0.0.5')];
const WIFI = [at('10.9.9.9')];

describe('the address of the node', () => {
  it.each<[string, Parameters<typeof chooseAddress>[0], string, string | undefined]>([
    ['is where the default route goes', { lo: LO, docker0: DOCKER, eth0: ETH }, route('eth0'), '10.0.0.5'],
    [
      'is where the better of two default routes goes',
      { wlan0: WIFI, eth0: ETH },
      route('wlan0', 600) + route('eth0', 100),
      '10.0.0.5',
    ],
    [
      'is not where a route to elsewhere goes, or one that is down',
      { docker0: DOCKER, wlan0: WIFI, eth0: ETH },
      route('docker0', 0, '0001', '000011AC', '0000FFFF') + route('wlan0', 0, '0002') + route('eth0', 9),
      '10.0.0.5',
    ],
    ['without a default route is the first from outside', { lo: LO, eth0: ETH, wlan0: WIFI }, '', '10.0.0.5'],
    [
      'is the first from outside while the default route has none of IPv4',
      { lo: LO, docker0: DOCKER, eth0: [at('fe80::1')] },
      route('eth0'),
      '172.17.0.1',
    ],
    ['may be of IPv6 when there is no other', { lo: LO, eth0: [at('fd00::5')] }, '', 'fd00::5'],
    ['is none on a machine without a network', { lo: LO }, '', undefined],
  ])('%s', (_case, interfaces, routes, wanted) => {
    expect(chooseAddress(interfaces, HEADER + routes)).toBe(wanted);
  });

  it('is found on this machine, in no other process', () => {
    expect(nodeAddress()).toMatch(/^[\d.]+$|:/);
  });
});
