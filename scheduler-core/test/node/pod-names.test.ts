// Proves what a pod is called inside, how it resolves names, and which devices it is given.
import { devicesOf } from '@fleetset/scheduler-core/node/pod-devices';
import { podDns, readResolver } from '@fleetset/scheduler-core/node/pod-dns';
import { hostnameOf } from '@fleetset/scheduler-core/node/pod-hostname';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { describe, expect, test } from 'vitest';

const spec = (over: Partial<PodSpec>): PodSpec => ({ containers: [], ...over });
const POD = { name: 'web-abcde', namespace: 'prod' };
const DOMAIN = 'db.prod.svc.cluster.local';

describe('the hostname', () => {
  test.each<[string, Partial<PodSpec>, object]>([
    ["is the pod's name", {}, { hostname: 'web-abcde' }],
    ['or what is asked for', { hostname: 'a' }, { hostname: 'a' }],
    ['with a domain', { subdomain: 'db' }, { hostname: 'web-abcde', domainName: DOMAIN }],
    [
      'the whole is the hostname, when that is asked for',
      { hostname: 'a', subdomain: 'db', setHostnameAsFQDN: true },
      { hostname: `a.${DOMAIN}` },
    ],
    ['without a domain there is no more to it', { setHostnameAsFQDN: true }, { hostname: 'web-abcde' }],
  ])('%s', (_what, over, expected) => {
    expect(hostnameOf(POD, spec(over))).toEqual(expected);
  });
  test('is cut to a label, which does not end in a hyphen', () => {
    expect(hostnameOf({ ...POD, name: `${'a'.repeat(62)}-bcd` }, spec({})).hostname).toBe('a'.repeat(62));
  });
  test('that the kernel cannot hold is refused as kubelet refuses it', () => {
    const hostname = 'a'.repeat(63);
    expect(() => hostnameOf(POD, spec({ hostname, subdomain: 'db', setHostnameAsFQDN: true }))).toThrow(
      `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${hostname}.${DOMAIN} is too long (64 characters is the max, 89 characters requested)`,
    );
  });
});

describe('names are resolved', () => {
  const host = { servers: ['10.0.0.1', '10.0.0.2'], searches: ['a.org'], options: ['ndots:2', 'rotate'] };
  const dnsConfig = {
    nameservers: ['1.1.1.1', '10.0.0.2', '2.2.2.2'],
    searches: ['b.org', 'a.org'],
    options: [{ name: 'ndots', value: '5' }, { name: 'edns0' }],
  };
  test.each<[string, Partial<PodSpec>, object | undefined]>([
    ['as the engine does it', {}, undefined],
    [
      'with what is added, up to three servers',
      { dnsConfig },
      {
        servers: ['10.0.0.1', '10.0.0.2', '1.1.1.1'],
        searches: ['a.org', 'b.org'],
        options: ['rotate', 'ndots:5', 'edns0'],
      },
    ],
    [
      'by that alone',
      { dnsPolicy: 'None', dnsConfig },
      {
        servers: ['1.1.1.1', '10.0.0.2', '2.2.2.2'],
        searches: ['b.org', 'a.org'],
        options: ['ndots:5', 'edns0'],
      },
    ],
  ])('%s', (_what, over, expected) => {
    expect(podDns(spec(over), host)).toEqual(expected);
  });
  test("the machine's own way is read from its file", () => {
    const text =
      '# made by hand\nnameserver 10.0.0.1\ndomain old.org\nsearch a.org b.org\noptions ndots:2 rotate ; why\n';
    expect(readResolver(text)).toEqual({
      servers: ['10.0.0.1'],
      searches: ['a.org', 'b.org'],
      options: ['ndots:2', 'rotate'],
    });
  });
});

test('devices are read as Docker writes them', () => {
  const annotations = { 'fleetset.dev/devices': '/dev/a,/dev/b:/dev/c, /dev/d:r,/dev/e:/dev/f:rw' };
  expect(devicesOf(annotations)).toEqual([
    { source: '/dev/a', target: '/dev/a', permissions: 'rwm' },
    { source: '/dev/b', target: '/dev/c', permissions: 'rwm' },
    { source: '/dev/d', target: '/dev/d', permissions: 'r' },
    { source: '/dev/e', target: '/dev/f', permissions: 'rw' },
  ]);
});
