// A fleet: DaemonSets by the plane's API, containers by its agents.
import { type BenchFleet, until } from './bench-fleet.ts';
import { daemonSetOf, type PodWishes } from './exporter.ts';
import type { Side } from './side.ts';

export const SETS = '/apis/apps/v1/namespaces/default/daemonsets';
const MERGE = 'application/merge-patch+json';

interface DaemonSet {
  readonly metadata: { readonly generation: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
  };
}

export function fleetSide(
  api: BenchFleet['api'],
  wishes: PodWishes = {},
  nodes = 1,
  apply: (manifest: object) => Promise<unknown> = (manifest) => api('POST', SETS, manifest),
): Side {
  return {
    label: 'dev.fleetset.daemonset',
    create: (name, image, index) => apply(daemonSetOf(name, image, index, wishes)),
    atRest: (name) =>
      until(`${name} is available`, async () => {
        const { metadata, status } = (await api('GET', `${SETS}/${name}`)) as DaemonSet;
        return (
          status.observedGeneration === metadata.generation &&
          status.desiredNumberScheduled === nodes &&
          status.updatedNumberScheduled === nodes &&
          status.numberAvailable === nodes
        );
      }),
    update: (name, image) => {
      const containers = [{ ...daemonSetOf(name, image).spec.template.spec.containers[0] }];
      return api('PATCH', `${SETS}/${name}`, { spec: { template: { spec: { containers } } } }, MERGE);
    },
    remove: (name) => api('DELETE', `${SETS}/${name}`),
  };
}
