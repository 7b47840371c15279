// What a machine can be asked again and again: how full it is, and what is used.
import type { Levels } from '@fleetset/scheduler-core/node/node-pressure';
import { createSampler, type TakeSample } from '../usage/take-sample.ts';
import { type DiskLevels, type Places, readDisk, readLevels } from './machine-levels.ts';

export interface MachineGauges {
  readonly levels: (places: Places) => Promise<Levels>;
  /** Of the disk that holds this path; undefined when it cannot be told. */
  readonly disk: (path: string) => Promise<DiskLevels | undefined>;
  readonly usage: TakeSample;
}

export const openGauges = (): MachineGauges => ({
  levels: readLevels,
  disk: readDisk,
  usage: createSampler(),
});
