import { NodeFacts, NodeReport, PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { describe, expect, it } from 'vitest';
import { withKnownParts } from '../../src/fleet/known-parts.ts';
import { readPodStatus } from '../../src/fleet/reported-status.ts';

const pod = (uid: string, phase: string) =>
  PodReport.fromPartial({ uid, name: uid, statusJson: JSON.stringify({ phase }) });
const report = (labels: { [key: string]: string }, ...pods: PodReport[]) => ({
  ...NodeReport.fromPartial({ facts: NodeFacts.fromPartial({ labels }) }),
  pods,
});

describe('what a report says again', () => {
  const before = report({ zone: 'a' }, pod('one', 'Running'), pod('two', 'Pending'));

  it('is the object that it was, wherever it stands', () => {
    const after = withKnownParts(report({ zone: 'a' }, pod('two', 'Pending'), pod('one', 'Running')), before);
    expect(after.facts).toBe(before.facts);
    expect(after.pods[0]).toBe(before.pods[1]);
    expect(after.pods[1]).toBe(before.pods[0]);
  });

  it('is new where it says something else', () => {
    const now = report({ zone: 'b' }, pod('one', 'Failed'), pod('three', 'Running'));
    const after = withKnownParts(now, before);
    expect(after).toEqual(now);
    expect(after.facts).toBe(now.facts);
    expect(after.pods).toEqual(now.pods);
    expect(readPodStatus(before.pods[0] as PodReport)).toMatchObject({ status: { phase: 'Running' } });
    expect(readPodStatus(after.pods[0] as PodReport)).toMatchObject({ status: { phase: 'Failed' } });
  });

  it('is read once', () => {
    const after = withKnownParts(report({ zone: 'a' }, pod('one', 'Running')), before);
    const read = readPodStatus(before.pods[0] as PodReport);
    expect(readPodStatus(after.pods[0] as PodReport)).toBe(read);
  });

  it('is all new when nothing was said before', () => {
    expect(withKnownParts(before, undefined)).toBe(before);
  });
});
