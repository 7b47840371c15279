// Rollouts of DaemonSets in the namespace default: what moves them, and what the plane says of them.
import { type Json, STRATEGIC } from './api-client.ts';
import { SETS } from './manifests.ts';
import type { TestPlane } from './test-plane.ts';
import { until } from './until.ts';

const OURS = '/apis/fleetset.dev/v1/namespaces/default';
export const POLICIES = `${OURS}/rolloutpolicies`;
export const PLACEMENTS = `${OURS}/placements`;

type Plane = Pick<TestPlane, 'api'>;

export const withImage = (image: string): Json => ({
  spec: { template: { spec: { containers: [{ name: 'main', image }] } } },
});

export const setImage = (plane: Plane, image: string, name = 'web'): Promise<Json> =>
  plane.api.ok('PATCH', `${SETS}/${name}`, withImage(image), { type: STRATEGIC });

export const policyOf = (spec: Json, name = 'careful'): Json => ({
  apiVersion: 'fleetset.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name },
  spec: { daemonSets: ['web'], ...spec },
});

export const setPolicy = (plane: Plane, spec: Json): Promise<Json> =>
  plane.api.ok('POST', POLICIES, policyOf(spec));

export const rolloutOf = async (plane: Plane, name = 'web'): Promise<Json> =>
  (await plane.api.ok('GET', `${OURS}/rollouts/${name}`)).status;

export const untilPhase = (plane: Plane, phase: string, name = 'web'): Promise<Json> =>
  until(`the rollout of ${name} is ${phase}`, async () => {
    const status = await rolloutOf(plane, name);
    return status.phase === phase ? status : undefined;
  });

export const placementOf = async (plane: Plane, node: string, name = 'web'): Promise<Json> =>
  (await plane.api.ok('GET', `${PLACEMENTS}/${name}.${node}`)).status;
