// Proves for which rollout an approval counts, and what people are told of one that does not.
import { approvalOf, approvedWaves, ignoredText } from '@fleetset/scheduler-core/rollout/approval';
import { expect, test } from 'vitest';

const ROLLOUT = { newest: 'two', attempt: 3 };

test.each([
  ['of this attempt', 'two/2/3', 2, ''],
  ['of an earlier attempt', 'two/2/1', 0, ' (that of attempt 1 does not count: this is attempt 3)'],
  ['of another revision', 'one/2/3', 0, ''],
  ['without an attempt', 'two/2', 0, ' ("two/2" is none: REVISION/STEPS/ATTEMPT)'],
  ['of no number of steps', 'two/all/3', 0, ' ("two/all/3" is none: REVISION/STEPS/ATTEMPT)'],
  ['of less than no steps', 'two/-1/3', 0, ' ("two/-1/3" is none: REVISION/STEPS/ATTEMPT)'],
  ['that is empty', '', 0, ' ("" is none: REVISION/STEPS/ATTEMPT)'],
])('an approval %s', (_what, text, waves, ignored) => {
  const approval = approvalOf(text);
  expect(approvedWaves(approval, ROLLOUT)).toBe(waves);
  expect(ignoredText(approval, ROLLOUT)).toBe(ignored);
});

test('no approval', () => {
  expect(approvedWaves(undefined, ROLLOUT)).toBe(0);
  expect(ignoredText(undefined, ROLLOUT)).toBe('');
});
