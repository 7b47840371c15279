// Proves which taints a daemon pod bears: Kubernetes' matching rules and the tolerations it gets by itself.
import { daemonTolerations, formatTaint, tolerates } from '@fleetset/scheduler-core/taint-toleration';
import { describe, expect, test } from 'vitest';

const taint = (text: string) => {
  const [, key = '', value, effect = ''] = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(text) ?? [];
  return { key, effect, ...(value === undefined ? {} : { value }) };
};

describe('rule 9: a toleration covers a taint', () => {
  test.each([
    ['when key, value and effect are the same', { key: 'a', value: 'b', effect: 'NoSchedule' }, true],
    ['Equal may be written out', { key: 'a', operator: 'Equal', value: 'b', effect: 'NoSchedule' }, true],
    ['not when the value differs', { key: 'a', value: 'c', effect: 'NoSchedule' }, false],
    ['not when the value is absent under Equal', { key: 'a', effect: 'NoSchedule' }, false],
    ['not when the key differs', { key: 'x', value: 'b', effect: 'NoSchedule' }, false],
    ['not when the effect differs', { key: 'a', value: 'b', effect: 'NoExecute' }, false],
    ['an empty effect means any', { key: 'a', value: 'b' }, true],
    ['an effect of "" means any', { key: 'a', value: 'b', effect: '' }, true],
    ['Exists asks for no value', { key: 'a', operator: 'Exists' }, true],
    ['Exists ignores a value that is there', { key: 'a', operator: 'Exists', value: 'zzz' }, true],
    ['Exists without a key covers everything', { operator: 'Exists' }, true],
    ['Exists without a key still minds the effect', { operator: 'Exists', effect: 'NoExecute' }, false],
    ['Equal without a key compares the value alone', { operator: 'Equal', value: 'b' }, true],
    ['an unknown operator never does', { key: 'a', operator: 'Gt', value: 'b' }, false],
    [
      'rule 8: for how long does not matter here',
      { key: 'a', operator: 'Exists', tolerationSeconds: 0 },
      true,
    ],
  ])('%s', (_sentence, toleration, covered) => {
    expect(tolerates(toleration, taint('a=b:NoSchedule'))).toBe(covered);
  });

  test('an absent value and an empty one are the same', () => {
    expect(tolerates({ key: 'a', value: '' }, taint('a:NoSchedule'))).toBe(true);
    expect(tolerates({ key: 'a' }, { key: 'a', value: '', effect: 'NoSchedule' })).toBe(true);
  });
});

describe('rules 4 and 5: a daemon pod bears by itself', () => {
  const bears = (text: string, hostNetwork: boolean) =>
    daemonTolerations(undefined, hostNetwork).some((toleration) =>
      tolerates(toleration, taint(`node.kubernetes.io/${text}`)),
    );
  test.each([
    ['not-ready:NoExecute', true],
    ['unreachable:NoExecute', true],
    ['disk-pressure:NoSchedule', true],
    ['memory-pressure:NoSchedule', true],
    ['pid-pressure:NoSchedule', true],
    ['unschedulable:NoSchedule', true],
    ['not-ready:NoSchedule', false],
    ['unreachable:NoSchedule', false],
    ['out-of-service:NoExecute', false],
    ['disk-pressure:NoExecute', false],
    ['memory-pressure:NoExecute', false],
    ['pid-pressure:NoExecute', false],
    ['network-unavailable:NoSchedule', false],
  ])('%s: %s', (text, expected) => {
    expect(bears(text, false)).toBe(expected);
  });
  test('network-unavailable:NoSchedule on the host network only', () => {
    expect(bears('network-unavailable:NoSchedule', true)).toBe(true);
    expect(bears('network-unavailable:NoExecute', true)).toBe(false);
  });
  test('no taint under another prefix', () => {
    const all = daemonTolerations(undefined, true);
    expect(all.some((one) => tolerates(one, taint('node-role.kubernetes.io/control-plane:NoSchedule')))).toBe(
      false,
    );
  });
});

describe('rule 7: a toleration of the template that is an automatic one', () => {
  const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' };
  test('is replaced in its place, and its seconds are lost', () => {
    const others = [{ key: 'before' }, { key: 'after' }];
    const [first, second, third] = daemonTolerations(
      [{ key: 'before' }, { ...own, tolerationSeconds: 60 }, { key: 'after' }],
      false,
    );
    expect([first, third]).toEqual(others);
    expect(second).toEqual(own);
  });
  test('is not added a second time', () => {
    expect(daemonTolerations([own], false)).toHaveLength(daemonTolerations([], false).length);
  });
  test('stays beside it when it differs in the operator', () => {
    const equal = { ...own, operator: 'Equal', tolerationSeconds: 60 };
    expect(daemonTolerations([equal], false)).toContainEqual(equal);
    expect(daemonTolerations([equal], false)).toContainEqual(own);
  });
});

test.each([
  [{ key: 'a', value: 'b', effect: 'NoSchedule' }, 'a=b:NoSchedule'],
  [{ key: 'a', value: '', effect: 'NoExecute' }, 'a:NoExecute'],
  [{ key: 'a', effect: 'NoExecute' }, 'a:NoExecute'],
])('a taint is written as kubectl writes it: %j', (given, text) => {
  expect(formatTaint(given)).toBe(text);
});
