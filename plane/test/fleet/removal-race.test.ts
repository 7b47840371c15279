// A node that is removed in the very tick in which its report is taken in. Over the wire that is a matter of luck,
// so the parts are put together here: the real store, the real intake, and the removal as plane.ts does it.
import { describe, expect, it } from 'vitest';
import { createEventRecorder } from '../../src/events/event-recorder.ts';
import { createFleet } from '../../src/fleet/fleet.ts';
import { NODE_RECORDS } from '../../src/fleet/node-record.ts';
import { createReportIntake } from '../../src/fleet/report-intake.ts';
import { facts, podReport, report } from '../support/reports.ts';
import { storeFile } from '../support/store.ts';
import { turns } from '../support/until.ts';

const SET = { metadata: { name: 'web', namespace: 'default', uid: 'u' } };
const nowText = () => '2030-01-01T00:00:00Z';

function parts() {
  const store = storeFile().open();
  const fleet = createFleet(() => 0);
  const recorder = createEventRecorder(store, nowText, () => {});
  const failures: unknown[] = [];
  const onFailure = (error: unknown) => failures.push(error);
  const intake = createReportIntake({ store, fleet, recorder, nowText, onTaken: () => {}, onFailure });
  store.watch('core/nodes', store.version(), ({ id, value }) => {
    if (value) return;
    fleet.forget(id);
    void intake.forget(id);
  });
  const node = { metadata: { name: 'n' }, spec: {}, status: {} };
  const record = { name: 'n', keyHash: 'k', ownLabels: {}, ownTaints: [] };
  const put = () =>
    store.commit([
      { collection: 'core/nodes', id: 'n', value: node, durable: true },
      { collection: NODE_RECORDS, id: 'n', value: record, durable: true },
    ]);
  const remove = () =>
    store.commit([
      { collection: 'core/nodes', id: 'n', durable: true },
      { collection: NODE_RECORDS, id: 'n', durable: true },
    ]);
  return { store, fleet, intake, recorder, failures, put, remove };
}

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
      const { store, fleet, intake, recorder, failures, put, remove } = parts();
      await put();
      intake.take('n', report('n', { pods: [podReport(SET, 'r')].slice(0, before) }));
      await turns();
      expect([...store.list('core/pods')]).toHaveLength(before);
      const next = report('n', {
        facts: facts('n', changedFacts ? { labels: { other: 'x' } } : {}),
        pods: [podReport(SET, 'r'), podReport(SET, 'r')],
      });
      const take = () => intake.take('n', next);
      if (!removalFirst) take();
      const removed = remove();
      if (removalFirst) take();
      await removed;
      await turns();
      expect([...store.list('core/pods')]).toEqual([]);
      expect([...fleet.all()]).toEqual([]);
      expect(failures).toEqual([]);
      recorder.close();
      await store.close();
    }
  });
});
