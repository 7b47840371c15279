// What `fleetset rollout status` shows: the whole, a screenful, or only what is new.
import { describe, expect, it } from 'vitest';
import {
  changedText,
  describeRollout,
  exitCodeOf,
  type NodePlacement,
  screenLines,
  wholeText,
} from '../src/commands/describe-rollout.ts';
import { createRedraw } from '../src/redraw.ts';

const ROLLOUT = {
  phase: 'Progressing',
  targetRevision: 'two',
  policy: 'defaults',
  maxUnavailable: 1,
  unavailable: 1,
};

const placed = (nodeName: string, state: string, more: object = {}): NodePlacement => ({
  spec: { nodeName, daemonSetName: 'web' },
  status: { decision: 'Run', state, grantedRevision: state === 'Waiting' ? 'one' : 'two', ...more },
});
const pod = (revision: string) => ({ name: revision, revision, available: true, terminating: false });

const THREE = [
  placed('c', 'Waiting', { pods: [pod('one')], waiting: 'waits for its turn' }),
  placed('a', 'Updated', { pods: [pod('two')], progress: 'run, granted to this node' }),
  placed('b', 'Updating', { pods: [pod('one'), pod('two')], progress: 'pulls the image' }),
];

describe('a rollout in words', () => {
  it.each([
    ['Complete', 0],
    ['Stopped', 1],
    ['RolledBack', 1],
    ['OnDelete', 1],
    ['RollingBack', undefined],
    ['Progressing', undefined],
    [undefined, undefined],
  ])('that is %s ends with %s', (phase, code) => {
    expect(exitCodeOf(phase === undefined ? {} : { phase })).toBe(code);
  });

  it('that is late on its way back ends with 1, and says what it waits for', () => {
    const late =
      'on the way back no node came nearer in 600 s; waiting for b: it fell silent after it got it';
    for (const phase of ['RollingBack', 'Progressing']) expect(exitCodeOf({ phase, late })).toBe(1);
    expect(exitCodeOf({ phase: 'Complete', late })).toBe(0);
    const rollout = { ...ROLLOUT, phase: 'RollingBack', message: 'b failed', late };
    expect(describeRollout('web', rollout, THREE).headline).toMatch(
      /^web: RollingBack .* \| b failed \| on the way back .* waiting for b: it fell silent after it got it$/,
    );
  });

  it('that people pace shows no budget, which is none under OnDelete', () => {
    const { headline } = describeRollout(
      'web',
      { phase: 'OnDelete', targetRevision: 'two', policy: 'updateStrategy OnDelete', message: 'by hand' },
      THREE,
    );
    expect(headline).toBe(
      'web: OnDelete [#######.............] 1/3 to two | policy: updateStrategy OnDelete | by hand',
    );
  });

  it('says who pulls in advance, and who could not', () => {
    const prePull = { pulled: 7, pulling: ['c'], failures: { d: 'no room', b: 'no room' } };
    const { headline, rows } = describeRollout('web', { ...ROLLOUT, prePull }, [
      ...THREE,
      placed('d', 'Waiting', { waiting: 'waits for its turn' }),
    ]);
    expect(headline).toContain(' | images on 7 ahead of their turn (1 pulling, 2 failed) | ');
    expect(rows.map(({ cells }) => cells.at(-1))).toEqual([
      '',
      'pulls the image',
      'waits for its turn; pulls its images meanwhile',
      'waits for its turn; could not pull in advance, and tries again: no room',
    ]);
  });

  it('is a bar of what is done, and node by node what runs there and why it waits', () => {
    expect(wholeText(describeRollout('web', ROLLOUT, THREE)).split('\n')).toEqual([
      'web: Progressing [#######.............] 1/3 to two | 1 of at most 1 unavailable | policy: defaults',
      'NODE  REVISION    STATE     WHY',
      'a     two         Updated',
      'b     one -> two  Updating  pulls the image',
      'c     one         Waiting   waits for its turn',
    ]);
  });

  it('under a surge counts the nodes that are being updated', () => {
    const { maxUnavailable: _none, unavailable: _nobody, ...rollout } = ROLLOUT;
    expect(describeRollout('web', { ...rollout, maxSurge: 2, updating: 1 }, THREE).headline).toBe(
      'web: Progressing [#######.............] 1/3 to two | 1 of at most 2 being updated (maxSurge) | policy: defaults',
    );
  });

  it('is told again only as far as it changed', () => {
    const before = describeRollout('web', ROLLOUT, THREE);
    expect(changedText(undefined, before)).toBe(wholeText(before));
    expect(changedText(before, describeRollout('web', ROLLOUT, THREE))).toBeUndefined();
    const [c, a] = THREE as [NodePlacement, NodePlacement];
    const now = describeRollout('web', ROLLOUT, [c, a, placed('b', 'Updated', { pods: [pod('two')] })]);
    expect(changedText(before, now)).toBe(`${now.headline}\n  b  two  Updated`);
  });
});

describe('on a screen', () => {
  const many = Array.from({ length: 50 }, (_, index) =>
    placed(
      `node${String(index).padStart(2, '0')}`,
      index === 40 ? 'Failed' : index < 30 ? 'Updated' : 'Waiting',
      {
        waiting: index < 30 ? '' : 'x'.repeat(300),
      },
    ),
  );

  it('are the most urgent nodes first, never more lines than fit, and how many are not shown', () => {
    const lines = screenLines(describeRollout('web', ROLLOUT, many), { columns: 60, rows: 10 });
    expect(lines).toHaveLength(9);
    expect(lines[2]).toMatch(/^node40 .*Failed/);
    expect(lines[3]).toMatch(/^node30 .*Waiting/);
    expect(lines.at(-1)).toBe('... and 14 Waiting, 30 Updated');
    for (const line of lines) expect(line.length).toBeLessThan(60);
  });

  it('takes the place of what was drawn before', () => {
    let screen = '';
    const redraw = createRedraw((text) => {
      screen += text;
    });
    redraw(['one', 'two']);
    redraw(['three']);
    expect(screen).toBe('one\ntwo\n\x1b[2A\x1b[0Jthree\n');
  });
});
