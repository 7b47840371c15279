// What the plane does not know is never taken for leave: a node that has not answered yet, and a pod that its agent
// has not been able to look at.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { untilStatus } from '../support/hollow-fleet.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, SETS } from '../support/manifests.ts';
import { newest, placement, podReport } from '../support/reports.ts';
import { setImage } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let set: Json;
let members: HollowMember[];
beforeEach(async () => {
  plane = await startTestPlane();
  members = [];
});
afterEach(async () => {
  for (const member of members) member.leave();
  await plane.stop();
});

const toldTo = (member: HollowMember | undefined) =>
  member && newest(member.stream)?.daemonSets.find(({ uid }) => uid === set.metadata.uid)?.revision;
/** The member says that its pod of this revision is as it should be, or as `more` says. */
const runs = (member: HollowMember | undefined, revision: string, more: Json = {}) =>
  member?.report({
    placements: [placement(set, 'Run')],
    pods: [podReport(set, revision, { uid: `${member.name}-${revision}`, ...more })],
  });
const isTold = (member: HollowMember | undefined, revision: string) =>
  until(`${member?.name} is told ${revision}`, () => toldTo(member) === revision);

/** All run the first revision, and the plane has heard it. */
async function running(...names: string[]): Promise<string> {
  set = await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
  for (const name of names) members.push(await joinMember(plane, name));
  const [first] = members;
  for (const member of members) member.report({ placements: [placement(set, 'Run')] });
  const revision = (await first?.granted(set)) ?? '';
  for (const member of members) {
    await isTold(member, revision);
    runs(member, revision);
  }
  await untilStatus(plane, 'web', { numberAvailable: names.length });
  return revision;
}

describe('a node that was told something else and has not answered', () => {
  // The bug this found: the loop planned again after its own grants before it told them, so that a node granted back
  // to what it ran counted as up at once, and the next was granted beside it.
  it('spends budget, also when it is told to stay what its last report showed', async () => {
    const one = await running('a', 'b');
    const [a, b] = members;
    b?.stream.close();
    await until('b is away', () => !plane.hasHeard('b'));
    await setImage(plane, 'web:2');
    await until('a is told', () => toldTo(a) !== one);
    const two = toldTo(a) ?? '';
    runs(a, two);
    await untilStatus(plane, 'web', { updatedNumberScheduled: 1, numberAvailable: 2 });
    await setImage(plane, 'web:3');
    await until('a is told', () => toldTo(a) !== two);
    runs(a, two);
    await b?.reconnect();
    runs(b, one);
    await until('b is heard', () => plane.hasHeard('b'));
    await setImage(plane, 'web:2');
    await isTold(a, two);
    await untilStatus(plane, 'web', { observedGeneration: 4 });
    expect(toldTo(b)).toBe(one);
    runs(a, two);
    await isTold(b, two);
  });
});

describe('a pod that its agent has not been able to look at', () => {
  it('is neither a reason to replace it nor budget for another', async () => {
    const one = await running('a', 'b', 'c');
    const [a, b, c] = members;
    await setImage(plane, 'broken:2');
    await until('a is told', () => toldTo(a) !== one);
    const two = toldTo(a) ?? '';
    runs(a, two, { ready: false });
    await untilStatus(plane, 'web', { numberUnavailable: 1 });
    // Their agents restart, and the engine does not answer them.
    for (const member of [b, c]) {
      await member?.reconnect();
      runs(member, one, { unknown: true, ready: false, available: false });
    }
    await untilStatus(plane, 'web', { numberUnavailable: 3 });
    expect([toldTo(b), toldTo(c)]).toEqual([one, one]);
    // It is seen that the first one mended itself: still nothing is known of the others.
    runs(a, two);
    await untilStatus(plane, 'web', { numberUnavailable: 2 });
    expect([toldTo(b), toldTo(c)]).toEqual([one, one]);
    runs(b, one);
    runs(c, one);
    await isTold(b, two);
    expect(toldTo(c)).toBe(one);
  });
});
