// scheduling.k8s.io/v1 PriorityClass and coordination.k8s.io/v1 Lease.
import { applyDefaults } from '@fleetset/scheduler-core/schema/apply-defaults';
import {
  type Lease,
  lease,
  type PriorityClass,
  priorityClass,
} from '@fleetset/scheduler-core/schema/cluster';
import { validateLease, validatePriorityClass } from '@fleetset/scheduler-core/validation/cluster';
import { LEASE_NAMESPACE } from '../fleet/node-leases.ts';
import { AGE, column, NAME } from './columns.ts';
import { ALL_VERBS, countedChange, type Kind, type KubeObject, notActedOn } from './kind.ts';

const asClass = (object: KubeObject) => object as unknown as PriorityClass;
const asLease = (object: KubeObject) => object as unknown as Lease;

export const priorityClassKind: Kind = {
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  shortNames: ['pc'],
  namespaced: false,
  schema: priorityClass,
  verbs: ALL_VERBS,
  columns: [
    NAME,
    column('Value', 'Higher comes first.', (object) => asClass(object).value, { type: 'integer' }),
    column(
      'Global-Default',
      'Whether it is for pods that name none.',
      (object) => asClass(object).globalDefault ?? false,
      { type: 'boolean' },
    ),
    AGE,
    column(
      'PreemptionPolicy',
      'Whether others have to go for its pods.',
      (object) => asClass(object).preemptionPolicy ?? '',
    ),
  ],
  rules: {
    setDefaults: (object) => applyDefaults(priorityClass, object) as KubeObject,
    prepare: countedChange,
    validate: (object, old) => validatePriorityClass(asClass(object), old && asClass(old)),
    warnings: () => notActedOn('PriorityClass', 'no pod has to make room for another'),
  },
};

/** Leader election needs no more than that they are kept. */
export const leaseKind: Kind = {
  group: 'coordination.k8s.io',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  namespaced: true,
  schema: lease,
  verbs: ALL_VERBS,
  putMakes: true,
  columns: [
    NAME,
    column('Holder', 'Who holds it.', (object) => asLease(object).spec?.holderIdentity ?? ''),
    AGE,
  ],
  rules: {
    validate: (object) => validateLease(asLease(object)),
    warnings: ({ metadata }) =>
      metadata.namespace === LEASE_NAMESPACE
        ? notActedOn('Lease', 'whether a node is alive is told by its agent alone')
        : [],
  },
};
