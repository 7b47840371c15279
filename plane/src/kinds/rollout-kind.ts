// fleetset.dev/v1 Rollout: what one DaemonSet's rollout has come to. Read-only, made when asked for; what
// `fleetset rollout status` shows.
import { objectMeta } from '@fleetset/scheduler-core/schema/meta';
import {
  boolean,
  type Infer,
  int32,
  list,
  map,
  object,
  string,
} from '@fleetset/scheduler-core/schema/schema';
import { column, NAME } from './columns.ts';
import type { Kind, KubeObject } from './kind.ts';

const fleetset = (name: string) => `dev.fleetset.v1.${name}`;

const rollout = object(fleetset('Rollout'), {
  apiVersion: string(),
  kind: string(),
  metadata: objectMeta,
  spec: object(fleetset('RolloutSpec'), { daemonSetName: string() }),
  status: object(fleetset('RolloutStatus'), {
    phase: string({
      description: 'Progressing, Complete, Stopped, RollingBack or RolledBack; OnDelete: people pace it.',
    }),
    message: string({ description: 'Why it has failed.' }),
    late: string({
      description:
        'On the way back no node came nearer for the progress deadline: which one is waited for. It goes on all the same.',
    }),
    policy: string({ description: 'What paces it.' }),
    paused: boolean(),
    newestRevision: string({ description: "The revision of the DaemonSet's template." }),
    targetRevision: string({ description: 'The revision that nodes should have now.' }),
    stableRevision: string({ description: 'The last revision that all nodes had.' }),
    attempt: int32({
      description: "Which of the DaemonSet's rollouts this is: an approval is for one of them.",
    }),
    step: int32({ description: 'The step that is under way, from 1; 0 without steps.' }),
    stepName: string(),
    awaitsApproval: boolean({ description: 'The step waits until somebody approves it.' }),
    maxUnavailable: int32(),
    unavailable: int32({ description: 'Nodes that count against maxUnavailable.' }),
    maxSurge: int32({ description: 'Under a surge, instead of maxUnavailable.' }),
    updating: int32({
      description: 'Nodes that count against maxSurge: what they were granted is not available there yet.',
    }),
    closed: int32({
      description:
        'Nodes that wait until they may be changed: a maintenance window is closed, or a hold is on.',
    }),
    failures: { ...map(string()), description: 'Nodes that failed with the newest revision, with why.' },
    prePull: {
      ...object(fleetset('RolloutPrePull'), {
        pulled: int32({ description: 'Nodes that were told to pull, and have the images.' }),
        pulling: { ...list(string()), description: 'Nodes that pull now.' },
        failures: {
          ...map(string()),
          description: 'Nodes that could not, with why. Nothing waits for them.',
        },
      }),
      description: 'What nodes pulled before their turn; absent when none was told to.',
    },
  }),
});
export interface Rollout extends Infer<typeof rollout> {}

const of = (object: KubeObject) => object as unknown as Rollout;

export const rolloutKind: Kind = {
  group: 'fleetset.dev',
  kind: 'Rollout',
  plural: 'rollouts',
  singular: 'rollout',
  namespaced: true,
  schema: rollout,
  verbs: ['get', 'list'],
  columns: [
    NAME,
    column('Phase', 'What it has come to.', (object) => of(object).status?.phase ?? ''),
    column('Newest', "The template's revision.", (object) => of(object).status?.newestRevision ?? ''),
    column(
      'Stable',
      'The last revision that all nodes had.',
      (object) => of(object).status?.stableRevision ?? '',
    ),
    column('Step', 'The step that is under way.', (object) => of(object).status?.stepName ?? ''),
    column(
      'Failed',
      'How many nodes failed.',
      (object) => Object.keys(of(object).status?.failures ?? {}).length,
      {
        type: 'integer',
      },
    ),
    column(
      'Closed',
      'How many nodes wait for a maintenance window or the end of a hold.',
      (object) => of(object).status?.closed ?? 0,
      { type: 'integer', priority: 1 },
    ),
    column('Policy', 'What paces it.', (object) => of(object).status?.policy ?? '', { priority: 1 }),
    column('Message', 'Why it has failed.', (object) => of(object).status?.message ?? '', { priority: 1 }),
  ],
};
