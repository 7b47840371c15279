// A node's own labels and taints, from agent.yaml and flags: read in both spellings, refused by field.
import { describe, expect, it } from 'vitest';
import { AGENT_FLAGS, ownSettings } from '../src/commands/agent-settings.ts';
import { type Config, parseFlags } from '../src/options.ts';

const settings = (args: readonly string[], config: Config = {}) =>
  ownSettings(parseFlags(args, AGENT_FLAGS), config);

describe('labels and taints of a node', () => {
  it('come from the file and from flags, and flags win', () => {
    const { labels, taints } = settings(
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
    expect(() => settings(args, config)).toThrow(message),
  );
});
