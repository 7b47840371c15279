// The pods of the book, as the plan takes them.
import type { PlannedPod, PodHealth, PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { BodyFiles } from '../state/body-files.ts';
import type { PodBook } from '../state/pod-book.ts';
import { templateOf } from './desired-state.ts';
import type { PodConfig } from './pod-config.ts';

interface Sources {
  readonly pods: Pick<PodBook, 'all'>;
  readonly bodies: BodyFiles;
  readonly configOf: (pod: PodRecord, template: PodTemplateSpec) => PodConfig;
}

/** Without those of DaemonSets that cannot be judged. */
export const planPods = (
  { pods, bodies, configOf }: Sources,
  untouched: ReadonlySet<string>,
  healthOf: (record: PodRecord) => PodHealth | undefined,
): PlannedPod[] =>
  pods
    .all()
    .filter(({ record }) => !untouched.has(record.daemonSetUid))
    .map(({ record, ending, end }) => {
      const template = templateOf(bodies, record);
      const health = healthOf(record);
      const config = template && configOf(record, template).state;
      return {
        record,
        ...(template ? { template } : {}),
        ...(ending ? { ending } : {}),
        ...(health ? { health } : {}),
        ...(end ? { end } : {}),
        ...(config ? { config } : {}),
      };
    });
