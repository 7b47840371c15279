// Events about DaemonSets.
import type { RolloutEvent } from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { EventRecorder } from '../events/event-recorder.ts';
import type { StoredSet } from './stored-set.ts';

export type TellOfSet = (daemonSet: StoredSet, event: RolloutEvent) => void;

export const tellOfSets =
  (recorder: EventRecorder): TellOfSet =>
  ({ metadata }, { type, reason, message }) => {
    const { namespace = '', name = '', uid = '' } = metadata;
    recorder.record({
      subject: { kind: 'DaemonSet', apiVersion: 'apps/v1', namespace, name, uid },
      type,
      reason,
      message,
      component: 'daemonset-controller',
    });
  };
