// A node that is removed in the very tick in which its report is taken in. Over the wire that is a matter of luck,
// so the parts are put together here: the real store, the real intake, and the removal as plane-core.ts does it.
import { describe, expect, it } from 'vitest';
import { intakeParts } from '../support/intake-parts.ts';
import { facts, podReport, report } from '../support/reports.ts';
import { turns } from '../support/until.ts';

const SET = { metadata: { name: 'web', namespace: 'default', uid: 'u' } };

describe('a removal and a report in one tick', () => {
  // The bug this found: the report's pods were written after the removal had looked for pods to take away.
  it.each([
    ['the removal first', true],
    ['the report first', false],
  ])('%s: no pod stays, and nobody remembers the node', async (_, removalFirst) => {
    for (const [changedFacts, before] of [
      [false, 0],
      [true, 0],
      [false, 1],
      [true, 1],
    ] as const) {
      const { store, fleet, intake, failures, put, remove, close } = intakeParts();
      await put('n');
      intake.take('n', report('n', { pods: [podReport(SET, 'r')].slice(0, before) }));
      await turns();
      expect([...store.list('core/pods')]).toHaveLength(before);
      const next = report('n', {
        facts: facts('n', changedFacts ? { labels: { other: 'x' } } : {}),
        pods: [podReport(SET, 'r'), podReport(SET, 'r')],
      });
      const take = () => intake.take('n', next);
      if (!removalFirst) take();
      const removed = remove('n');
      if (removalFirst) take();
      await removed;
      await turns();
      expect([...store.list('core/pods')]).toEqual([]);
      expect([...fleet.all()]).toEqual([]);
      expect(failures).toEqual([]);
      await close();
    }
  });
});
