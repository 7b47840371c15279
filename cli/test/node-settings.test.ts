// What agent.yaml says of the machine as a node: in kubelet's names, refused by key.
import { DEFAULT_NODE_SETTINGS } from '@fleetset/agent/node-settings';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { nodeSettings } from '../src/commands/node-settings.ts';

const GI = 2 ** 30;
const settings = (yaml: string, localAddress?: string) => nodeSettings(parse(yaml) ?? {}, localAddress);

describe('a node', () => {
  it('has the defaults, and answers on loopback', () => {
    expect(settings('')).toEqual({ ...DEFAULT_NODE_SETTINGS, local: { host: '127.0.0.1', port: 6445 } });
  });

  it('answers where it is told to, or nowhere', () => {
    expect(settings('localAddress: 0.0.0.0:9000').local).toEqual({ host: '0.0.0.0', port: 9000 });
    expect(settings('localAddress: off').local).toBeUndefined();
    expect(settings('localAddress: off', '[::1]:1').local).toEqual({ host: '::1', port: 1 });
  });

  it('is set up in all it can be', () => {
    const node = settings(`
      systemReserved: {cpu: 0.25, memory: 1Gi, ephemeral-storage: 2G}
      pressureThresholds: {memory.available: 1Gi, pid.available: 0}
      pressureTransitionPeriod: 90s
      imageGCHighThresholdPercent: 70
      imageGCLowThresholdPercent: 60
      imageMinimumGCAge: 1h
      imageGCForeign: true
      imagePullMinFree: 2Gi
      containerLogMaxSize: 1Mi
      containerLogMaxFiles: 2
      allowedUnsafeSysctls: ['net.*', kernel.msgmax]
      shutdownGracePeriod: 1m30s
    `);
    expect(node).toMatchObject({
      reserved: { cpuMillis: 250, memoryBytes: GI, diskBytes: 2e9 },
      transitionMs: 90_000,
      images: { highPercent: 70, lowPercent: 60, minAgeMs: 3_600_000, foreign: true, minFreeBytes: 2 * GI },
      logs: { maxBytes: 2 ** 20, maxFiles: 2 },
      allowedUnsafeSysctls: ['net.*', 'kernel.msgmax'],
      shutdownGraceMs: 90_000,
    });
    expect(node.thresholds).toEqual({
      ...DEFAULT_NODE_SETTINGS.thresholds,
      'memory.available': { text: '1Gi', amount: GI },
      'pid.available': { text: '0', amount: 0 },
    });
  });

  it.each([
    ['localAddress: here', /^localAddress: "here" is not HOST:PORT/],
    ['systemReserved: 1Gi', /^systemReserved: must be a map/],
    ['systemReserved: {disk: 1Gi}', /^systemReserved: unknown key "disk"; known are cpu, memory/],
    ['systemReserved: {cpu: lots}', /^systemReserved\.cpu: "lots" is not a quantity/],
    ['systemReserved: {memory: -1Gi}', /^systemReserved\.memory: "-1Gi" is not a quantity/],
    [
      'pressureThresholds: {nodefs.available: 110%}',
      /^pressureThresholds\.nodefs\.available: "110%" is neither/,
    ],
    ['pressureThresholds: {memory: 10%}', /^pressureThresholds: unknown key "memory"/],
    ['pressureTransitionPeriod: 5', /^pressureTransitionPeriod: "5" is not a duration/],
    [
      'imageGCHighThresholdPercent: 101',
      /^imageGCHighThresholdPercent: 101 must be a whole number from 0 to 100/,
    ],
    ['imageGCHighThresholdPercent: 80', /^imageGCLowThresholdPercent: 80 must be less than/],
    ['imageMinimumGCAge: soon', /^imageMinimumGCAge: "soon" is not a duration/],
    ['imageGCForeign: "yes"', /^imageGCForeign: must be true or false/],
    ['imagePullMinFree: [1]', /^imagePullMinFree: \[1\] is not a quantity/],
    ['containerLogMaxSize: 1Ki', /^containerLogMaxSize: must be at least 4096 bytes/],
    ['containerLogMaxFiles: 1', /^containerLogMaxFiles: 1 must be a whole number from 2 to 1000/],
    ['allowedUnsafeSysctls: net.*', /^allowedUnsafeSysctls: must be a list/],
    ['allowedUnsafeSysctls: [1]', /^allowedUnsafeSysctls\[0\]: 1 must be a text/],
    [
      'allowedUnsafeSysctls: ["net.*", "net*x"]',
      /^allowedUnsafeSysctls\[1\]: "net\*x" must have at most 253/,
    ],
    [
      'allowedUnsafeSysctls: ["vm.*"]',
      /^allowedUnsafeSysctls\[0\]: "vm\.\*" is not known to be of a namespace/,
    ],
    ['shutdownGracePeriod: 2h', /^shutdownGracePeriod: "2h" must be from 0 to 1h/],
  ])('refuses %j', (yaml, message) => expect(() => settings(yaml)).toThrow(message));
});
