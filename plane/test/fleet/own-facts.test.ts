// What the plane leaves out of what a node says of itself.
import { NodeFacts } from '@fleetset/proto/gen/fleetset/v1/node';
import { expect, it } from 'vitest';
import { ownFacts } from '../../src/fleet/own-facts.ts';

it('labels below node-restriction.kubernetes.io are left out, subdomains too', () => {
  const labels = {
    'node-restriction.kubernetes.io/zone': 'a',
    'pci.node-restriction.kubernetes.io/zone': 'b',
    zone: 'c',
  };
  const { own, refused } = ownFacts(NodeFacts.fromPartial({ labels }));
  expect(own.ownLabels).toEqual({ zone: 'c' });
  expect(refused).toEqual([
    'label node-restriction.kubernetes.io/zone=a',
    'label pci.node-restriction.kubernetes.io/zone=b',
  ]);
});
