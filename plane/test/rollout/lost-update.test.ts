// The rollout loop writes statuses while operators write specs: neither undoes the other.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilRolledOut } from '../support/hollow-fleet.ts';
import { daemonSet, SETS } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
let fleet: HollowFleet;
beforeEach(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
});
afterEach(async () => {
  fleet.stop();
  await plane.stop();
});

describe('a change of a DaemonSet while the loop is busy with others', () => {
  // The bug this found: the loop read all DaemonSets, then waited for the disk for each; its status write of a later
  // one carried the spec from before a change that came meanwhile, under the version from after it: the change was
  // taken, answered with 200, and undone.
  it('is never undone by a status, and is observed in the end (rule 28)', async () => {
    const names = Array.from({ length: 6 }, (_, index) => `set${index}`);
    await fleet.add(3);
    await Promise.all(names.map((name) => plane.api.ok('POST', SETS, daemonSet(name))));
    for (const name of names) await untilRolledOut(plane, name, 3);
    const versions = new Map<string, number>();
    const change = async (name: string, version: number) => {
      const spec = { template: { metadata: { annotations: { version: String(version) } } } };
      const object = await plane.api.ok('PATCH', `${SETS}/${name}`, { spec }, { type: MERGE });
      expect(object.metadata.generation).toBe(version + 1);
      versions.set(name, version);
    };
    for (let version = 1; version <= 12; version++)
      await Promise.all(names.map((name) => change(name, version)));
    for (const name of names) {
      const { metadata, spec }: Json = await plane.api.ok('GET', `${SETS}/${name}`);
      expect(metadata.generation).toBe(13);
      expect(spec.template.metadata.annotations.version).toBe('12');
      await untilRolledOut(plane, name, 3);
    }
  });
});
