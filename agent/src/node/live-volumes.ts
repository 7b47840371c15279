// Keeps the volumes of pods that run what they should be, beside the node loop: their files follow ConfigMaps and
// Secrets, and what belongs to nobody goes.
import type { NodePlan } from '@fleetset/scheduler-core/node/plan-node';
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { Logger } from 'pino';
import type { RuntimeContainer } from '../runtime/container-runtime.ts';
import type { PodBook } from '../state/pod-book.ts';
import { type PodVolumes, VolumeFailure, type VolumePod } from '../volumes/pod-volumes.ts';

export interface LiveVolumesParts {
  readonly volumes: PodVolumes;
  readonly pods: PodBook;
  readonly logger: Logger;
  /** Undefined without its template. */
  readonly podOf: (record: PodRecord) => VolumePod | undefined;
  /** Not again for the same words, as long as nothing else happens. */
  readonly onFailure: (podUid: string, error: Error) => void;
  /** Comes back when it is worth another try; ends early when the agent stops. */
  readonly hold: () => Promise<void>;
  readonly wake: () => void;
}

export interface LiveVolumes {
  /** Once, before anything is made: directories of pods that ended while no agent lived. */
  readonly tidy: () => Promise<void>;
  /** Does not wait for what it begins. */
  readonly sync: (containers: readonly RuntimeContainer[], plan: NodePlan) => void;
}

export function createLiveVolumes(parts: LiveVolumesParts): LiveVolumes {
  const { volumes, pods } = parts;
  const busy = new Set<string>();
  /** The state of its ConfigMaps and Secrets that would not do. */
  const refused = new Map<string, string>();
  const told = new Map<string, string>();
  let tidied = false;

  const tell = (uid: string, error: Error) => {
    if (told.get(uid) === error.message) return;
    told.set(uid, error.message);
    parts.onFailure(uid, error);
  };

  const bring = async (pod: VolumePod) => {
    const { uid } = pod.facts;
    try {
      // The agent may be new: what an earlier one set up is gone through once.
      await volumes.ensure(pod);
      await volumes.refresh(pod);
      refused.delete(uid);
      told.delete(uid);
    } catch (error) {
      if (!(error instanceof VolumeFailure && error.untold)) tell(uid, error as Error);
      if (error instanceof VolumeFailure && error.forConfig) refused.set(uid, pod.config.state);
      else await parts.hold();
    }
  };

  const follow = (pod: VolumePod) => {
    const { uid } = pod.facts;
    if (busy.has(uid) || refused.get(uid) === pod.config.state || volumes.isCurrent(pod)) return;
    busy.add(uid);
    void bring(pod).finally(() => {
      busy.delete(uid);
      parts.wake();
    });
  };

  return {
    tidy: async () => {
      if (tidied) return;
      tidied = true;
      const known = new Set(pods.all().map(({ record }) => record.uid));
      await volumes
        .removeAllBut(known)
        .catch((error: unknown) =>
          parts.logger.warn({ err: error }, 'directories of pods that are gone stay'),
        );
    },
    sync: (containers, plan) => {
      const made = new Set(containers.map(({ identity }) => identity.pod.uid));
      for (const book of [refused, told]) for (const uid of book.keys()) if (!made.has(uid)) book.delete(uid);
      for (const { record, bucket } of plan.pods) {
        const pod = bucket !== 'stop' && made.has(record.uid) ? parts.podOf(record) : undefined;
        if (pod) follow(pod);
      }
    },
  };
}
