// fleetset.dev/v1 RolloutPolicy in the API.
import { formatSelector } from '@fleetset/scheduler-core/label-selector';
import { type RolloutPolicy, rolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import { validateRolloutPolicy } from '@fleetset/scheduler-core/validation/rollout-policy';
import { validateWindows } from '../maintenance/validate-windows.ts';
import { AGE, column, NAME } from './columns.ts';
import type { Kind, KubeObject } from './kind.ts';

const of = (object: KubeObject) => object as unknown as RolloutPolicy & { metadata: KubeObject['metadata'] };

export const rolloutPolicyKind: Kind = {
  group: 'fleetset.dev',
  kind: 'RolloutPolicy',
  plural: 'rolloutpolicies',
  singular: 'rolloutpolicy',
  shortNames: ['rp'],
  namespaced: true,
  schema: rolloutPolicy,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  columns: [
    NAME,
    column(
      'DaemonSets',
      'The DaemonSets it names.',
      (object) => of(object).spec?.daemonSets?.join(',') ?? '',
    ),
    column('Selector', 'Labels of the DaemonSets it is for.', (object) =>
      of(object).spec?.selector ? formatSelector(of(object).spec?.selector) : '',
    ),
    column('Steps', 'How many steps an update takes.', (object) => of(object).spec?.steps?.length ?? 0, {
      type: 'integer',
    }),
    column(
      'Windows',
      'How many maintenance windows it has.',
      (object) => of(object).spec?.maintenanceWindows?.length ?? 0,
      { type: 'integer', priority: 1 },
    ),
    column(
      'On-Failure',
      'What becomes of an update that failed.',
      (object) => of(object).spec?.onFailure ?? 'Rollback',
    ),
    column('Paused', 'Whether nothing is updated.', (object) => of(object).spec?.paused ?? false, {
      type: 'boolean',
    }),
    AGE,
  ],
  rules: {
    validate: (object) => [
      ...validateRolloutPolicy(of(object)),
      ...validateWindows('spec.maintenanceWindows', of(object).spec?.maintenanceWindows ?? []),
    ],
  },
};
