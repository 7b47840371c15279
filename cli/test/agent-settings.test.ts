// A node's own labels and taints, from agent.yaml and flags: read in both spellings, refused by field.
import { describe, expect, it } from 'vitest';
import { AGENT_FLAGS, ownSettings } from '../src/commands/agent-settings.ts';
import { type Config, parseFlags } from '../src/options.ts';

const settings = (args: readonly string[], config: Config = {}) =>
  ownSettings(parseFlags(args, AGENT_FLAGS), config);

describe('labels and taints of a node', () => {
  it('come from the file and from flags, and flags win', async () => {
    const { labels, taints } = await settings(
      ['--node-labels', 'disk=hdd,site=', '--register-with-taints', 'b:NoExecute'],
      {
        labels: { disk: 'ssd', zone: 'a' },
        taints: ['dedicated=gpu:NoSchedule', { key: 'x', effect: 'PreferNoSchedule' }],
      },
    );
    expect(labels).toEqual({ disk: 'hdd', zone: 'a', site: '' });
    expect(taints).toEqual([
      { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' },
      { key: 'x', effect: 'PreferNoSchedule' },
      { key: 'b', effect: 'NoExecute' },
    ]);
  });

  it.each<[string, readonly string[], Config, RegExp]>([
    ['a label that is not KEY=VALUE', ['--node-labels', 'a'], {}, /--node-labels: "a" is not KEY=VALUE/],
    ['a label value with a space', [], { labels: { a: 'b c' } }, /labels: Invalid value: "b c"/],
    ['a label that is a number', [], { labels: { a: 1 } }, /labels: must be a map of texts/],
    [
      'a label only an administrator may give',
      ['--node-labels', 'node-restriction.kubernetes.io/team=a'],
      {},
      /labels\[node-restriction\.kubernetes\.io\/team\]: Forbidden/,
    ],
    [
      'one below that domain',
      ['--node-labels', 'pci.node-restriction.kubernetes.io/team=a'],
      {},
      /labels\[pci\.node-restriction\.kubernetes\.io\/team\]: Forbidden/,
    ],
    [
      'a taint without an effect',
      ['--register-with-taints', 'a=b'],
      {},
      /taint "a=b" is not KEY=VALUE:EFFECT/,
    ],
    [
      'a taint with an effect that is none',
      [],
      { taints: ['a=b:Never'] },
      /taints\[0\]\.effect: Unsupported value: "Never"/,
    ],
    [
      'a taint with a field that is none',
      [],
      { taints: [{ key: 'a', effect: 'NoExecute', for: 1 }] },
      /is not a taint/,
    ],
    ['taints that are no list', [], { taints: { a: 1 } }, /taints: must be a list/],
  ])('%s is refused', (_what, args, config, message) =>
    expect(settings(args, config)).rejects.toThrow(message),
  );
});

describe('when a node may be changed', () => {
  it('is its time zone, as a label, and its own windows', async () => {
    const { labels, maintenanceWindows } = await settings([], {
      timeZone: 'America/Argentina/Buenos_Aires',
      maintenanceWindows: [{ schedule: '0 2 * * 6', duration: '4h', timeZone: 'Etc/GMT+5' }],
    });
    expect(labels).toEqual({ 'fleetset.dev/time-zone': 'America.Argentina.Buenos_Aires' });
    expect(maintenanceWindows).toEqual([{ schedule: '0 2 * * 6', duration: '4h', timeZone: 'Etc/GMT+5' }]);
    expect((await settings([], { maintenanceWindows: [] })).maintenanceWindows).toEqual([]);
    expect((await settings([])).maintenanceWindows).toBeUndefined();
  });

  it.each<[string, Config, RegExp]>([
    ['a zone that is none', { timeZone: 'Mars/Base' }, /timeZone: Invalid value: "Mars\/Base"/],
    [
      'a zone as a label that is none',
      { labels: { 'fleetset.dev/time-zone': 'Mars.Base' } },
      /labels\[fleetset\.dev\/time-zone\]: Invalid value/,
    ],
    [
      'a zone said twice',
      { timeZone: 'UTC', labels: { 'fleetset.dev/time-zone': 'UTC' } },
      /timeZone: the label fleetset\.dev\/time-zone says it too/,
    ],
    ['windows that are no list', { maintenanceWindows: '0 2 * * 6' }, /maintenanceWindows: must be a list/],
    [
      'a window that is a text',
      { maintenanceWindows: ['0 2 * * 6'] },
      /maintenanceWindows\[0\]: must hold schedule, duration, timeZone/,
    ],
    [
      'a window with a key that is none',
      { maintenanceWindows: [{ schedule: '0 2 * * 6', duration: '4h', nodeSelector: {} }] },
      /maintenanceWindows\[0\]: unknown key "nodeSelector"/,
    ],
    [
      'a duration that is a number',
      { maintenanceWindows: [{ schedule: '0 2 * * 6', duration: 4 }] },
      /maintenanceWindows\[0\]\.duration: must be a text/,
    ],
    [
      'a schedule that is none, and no duration',
      { maintenanceWindows: [{ schedule: '0 25 * * *' }] },
      /maintenanceWindows\[0\]\.schedule: Invalid value: "0 25 \* \* \*": the hour is out of range\nmaintenanceWindows\[0\]\.duration: Required value/,
    ],
  ])('%s is refused', (_what, config, message) => expect(settings([], config)).rejects.toThrow(message));
});
