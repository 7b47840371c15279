// fleetset.dev/v1 RolloutPolicy: how updates of some DaemonSets are paced. DaemonSets themselves stay stock.

import { labelSelector, objectMeta } from './meta.ts';
import { boolean, type Infer, int32, intOrString, list, map, object, oneOf, string } from './schema.ts';

const fleetset = (name: string) => `dev.fleetset.v1.${name}`;

const rolloutStep = object(fleetset('RolloutStep'), {
  name: string({ description: 'For people; "step N" when absent.' }),
  nodeSelector: { ...map(string()), description: 'Labels of the nodes of this step; absent: any node.' },
  nodes: intOrString({ description: 'How many of them at most, as a count or a percentage of all nodes.' }),
  maxUnavailable: intOrString({
    description: "Instead of the DaemonSet's own, while this step is under way; of the nodes of this step.",
  }),
  soakSeconds: int32({ description: 'How long the nodes of this step must stay available before the next.' }),
  approval: oneOf(['None', 'Manual'], {
    description: 'Manual: somebody approves this step before it begins.',
  }),
});
export interface RolloutStep extends Infer<typeof rolloutStep> {}

const topologyBudget = object(
  fleetset('TopologyBudget'),
  {
    topologyKey: string({ description: 'A node label; nodes without it are one group.' }),
    maxUnavailable: int32({ default: 1, description: 'Of the nodes that have one value of the label.' }),
  },
  ['topologyKey'],
);

export const maintenanceWindow = object(
  fleetset('MaintenanceWindow'),
  {
    schedule: string({ description: 'When it opens, in cron format, as of a CronJob: "0 2 * * 6".' }),
    duration: string({ description: 'How long it stays open, such as 4h or 1h30m.' }),
    timeZone: string({
      description:
        "The time zone of the schedule, such as Europe/Berlin; absent: the node's own (label fleetset.dev/time-zone, else its machine's).",
    }),
    nodeSelector: {
      ...map(string()),
      description: 'Labels of the nodes that this window is for; absent: all.',
    },
  },
  ['schedule', 'duration'],
);
export interface MaintenanceWindow extends Infer<typeof maintenanceWindow> {}

const prePull = object(fleetset('PrePull'), {
  maxParallel: int32({
    description:
      'A node is told to pull only while fewer nodes than this do so, for whichever DaemonSet. 10 when absent; 0: nothing is pulled before the turn of its node.',
  }),
});

const rolloutPolicySpec = object(fleetset('RolloutPolicySpec'), {
  daemonSets: { ...list(string()), description: 'Names of DaemonSets in this namespace.' },
  selector: { ...labelSelector, description: 'Labels of DaemonSets in this namespace; {} selects all.' },
  paused: boolean({ description: 'Nothing is updated.' }),
  progressDeadlineSeconds: int32({
    description: 'A rollout in which no node comes nearer for so long has failed. 600 when absent.',
  }),
  failureThreshold: intOrString({
    description:
      'So many failed nodes, or this share of the updated ones, and the rollout has failed. 25% when absent.',
  }),
  soakSeconds: int32({ description: 'How long the last nodes must stay available before it is complete.' }),
  onFailure: oneOf(['Rollback', 'Pause', 'Continue'], {
    description:
      'Rollback (the default): the last revision that all nodes had comes back. Pause: nothing moves.',
  }),
  configRollout: boolean({
    description:
      'A change of a ConfigMap or Secret that the template names becomes a revision: paced and reversible. Otherwise running pods see it at once.',
  }),
  prePull: {
    ...prePull,
    description: 'How images of the revision that comes are pulled while the old pods run.',
  },
  partition: intOrString({ description: 'So many nodes keep what they have.' }),
  steps: list(rolloutStep),
  topologyBudgets: list(topologyBudget),
  maintenanceWindows: {
    ...list(maintenanceWindow),
    description:
      'A node that windows are for is changed only while one of them is open. A node that none is for is changed at any time.',
  },
});
export interface RolloutPolicySpec extends Infer<typeof rolloutPolicySpec> {}

export const rolloutPolicy = object(
  fleetset('RolloutPolicy'),
  { apiVersion: string(), kind: string(), metadata: objectMeta, spec: rolloutPolicySpec },
  ['spec'],
);
export interface RolloutPolicy extends Infer<typeof rolloutPolicy> {}
