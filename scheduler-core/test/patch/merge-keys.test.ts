// Proves which lists merge and by what, as the published OpenAPI says (kubectl-contract b.9): the one table that both
// our patches and kubectl's go by.
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { node } from '@fleetset/scheduler-core/schema/node';
import { namespace } from '@fleetset/scheduler-core/schema/plain';
import { pod } from '@fleetset/scheduler-core/schema/pod';
import type { ListSchema, Schema } from '@fleetset/scheduler-core/schema/schema';
import { expect, test } from 'vitest';

/** Every list that merges, by the kind it is in: "merge key / keys of server-side apply". */
function mergingLists(root: Schema): { [list: string]: string } {
  const found: { [list: string]: string } = {};
  const visit = (schema: Schema, name: string) => {
    if (schema.type === 'list') {
      if (schema.mergeKey !== undefined) found[name] = described(schema);
      visit(schema.items, `${name}[]`);
    } else if (schema.type === 'map') visit(schema.values, `${name}{}`);
    else if (schema.type === 'object')
      for (const [field, child] of Object.entries(schema.fields))
        visit(child, `${schema.name.split('.').at(-1)}.${field}`);
  };
  visit(root, '');
  return found;
}

const described = ({ mergeKey, retainKeys, mapKeys }: ListSchema): string =>
  `${mergeKey === '' ? '(plain)' : mergeKey}${retainKeys ? ', retainKeys' : ''} / ${mapKeys === undefined ? 'atomic' : mapKeys.length === 0 ? 'set' : mapKeys.join(' + ')}`;

test('the lists that merge, and no other', () => {
  expect({
    ...mergingLists(daemonSet),
    ...mergingLists(pod),
    ...mergingLists(node),
    ...mergingLists(namespace),
  }).toEqual({
    'PodSpec.containers': 'name / name',
    'PodSpec.initContainers': 'name / name',
    'PodSpec.ephemeralContainers': 'name / name',
    'Container.env': 'name / name',
    'Container.volumeMounts': 'mountPath / mountPath',
    'Container.volumeDevices': 'devicePath / devicePath',
    'Container.ports': 'containerPort / containerPort + protocol',
    'EphemeralContainer.env': 'name / name',
    'EphemeralContainer.volumeMounts': 'mountPath / mountPath',
    'EphemeralContainer.volumeDevices': 'devicePath / devicePath',
    'EphemeralContainer.ports': 'containerPort / containerPort + protocol',
    'PodSpec.volumes': 'name, retainKeys / name',
    'PodSpec.imagePullSecrets': 'name / name',
    'PodSpec.hostAliases': 'ip / ip',
    'PodSpec.topologySpreadConstraints': 'topologyKey / topologyKey + whenUnsatisfiable',
    'PodSpec.resourceClaims': 'name, retainKeys / name',
    'PodSpec.schedulingGates': 'name / name',
    'DaemonSetStatus.conditions': 'type / type',
    'PodStatus.conditions': 'type / type',
    'NodeStatus.conditions': 'type / type',
    'NamespaceStatus.conditions': 'type / type',
    'NodeStatus.addresses': 'type / type',
    'PodStatus.podIPs': 'ip / ip',
    'ObjectMeta.ownerReferences': 'uid / uid',
    'ObjectMeta.finalizers': '(plain) / set',
    'NodeSpec.podCIDRs': '(plain) / set',
  });
});
