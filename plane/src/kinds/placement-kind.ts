// fleetset.dev/v1 Placement: one node's own decision about one DaemonSet, with its reasons. Read-only, made when
// asked for; what `fleetset why` shows.

import { objectMeta } from '@fleetset/scheduler-core/schema/meta';
import { maintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import { boolean, type Infer, list, object, string } from '@fleetset/scheduler-core/schema/schema';
import { column, NAME } from './columns.ts';
import type { Kind, KubeObject } from './kind.ts';

const fleetset = (name: string) => `dev.fleetset.v1.${name}`;

const placement = object(fleetset('Placement'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  spec: object(fleetset('PlacementSpec'), { nodeName: string(), daemonSetName: string() }),
  status: object(fleetset('PlacementStatus'), {
    decision: string({
      description: 'Run: a pod belongs here. Keep: one that is here may stay. Leave: none may be here.',
    }),
    decidedBy: string({ description: 'Agent, or Plane while the agent has not said.' }),
    reasons: list(object(fleetset('PlacementReason'), { code: string(), message: string() })),
    grantedRevision: string(),
    newestRevision: string(),
    state: string({
      description:
        'In the rollout: Updated, Updating, Failed, Waiting or Silent. Empty where no pod belongs.',
    }),
    pods: list(
      object(fleetset('PlacementPod'), {
        name: string(),
        revision: string(),
        ready: boolean(),
        available: boolean({ description: 'Ready for minReadySeconds.' }),
        terminating: boolean(),
      }),
      { description: 'What the node reported last, oldest first.' },
    ),
    held: string({
      description: 'Who asked on the node itself that what runs there is left alone, and why.',
    }),
    closed: string({ description: 'Why the node is outside of its maintenance windows now.' }),
    maintenance: object(fleetset('PlacementMaintenance'), {
      timeZone: string({ description: "The machine's own." }),
      windows: {
        ...list(maintenanceWindow),
        description: "The node's own, which count before those of any policy; absent: it has none.",
      },
    }),
    waiting: string({ description: 'Why the node is not on the newest revision.' }),
    late: string({
      description: 'The way back of the rollout came no nearer for the progress deadline: what it waits for.',
    }),
    progress: string({ description: 'What the node does about it now.' }),
  }),
});
export interface Placement extends Infer<typeof placement> {}

const of = (object: KubeObject) => object as unknown as Placement;

export const placementKind: Kind = {
  group: 'fleetset.dev',
  kind: 'Placement',
  plural: 'placements',
  singular: 'placement',
  namespaced: true,
  schema: placement,
  verbs: ['get', 'list'],
  fields: {
    'spec.daemonSetName': (object) => of(object).spec?.daemonSetName ?? '',
    'spec.nodeName': (object) => of(object).spec?.nodeName ?? '',
  },
  columns: [
    NAME,
    column('DaemonSet', 'The DaemonSet it is about.', (object) => of(object).spec?.daemonSetName ?? ''),
    column('Node', 'The node that decided.', (object) => of(object).spec?.nodeName ?? ''),
    column('Decision', 'Run, Keep or Leave.', (object) => of(object).status?.decision ?? ''),
    column('State', 'Where it stands in the rollout.', (object) => of(object).status?.state ?? ''),
    column('Why', 'The reasons.', (object) =>
      (of(object).status?.reasons ?? []).map(({ message }) => message).join('; '),
    ),
    column('Waiting', 'Why it is not on the newest revision.', (object) => of(object).status?.waiting ?? '', {
      priority: 1,
    }),
  ],
};
