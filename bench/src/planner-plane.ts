// The planes that are measured: the rollout loop alone over a store in memory, so that what is left is what planning
// costs; or the whole core over a store on disk.
import { join } from 'node:path';
import { newTokenKey, readTokenKey } from '@fleetset/plane/authentication/json-web-token';
import { createEventRecorder } from '@fleetset/plane/events/event-recorder';
import { createFleet, reportedChange } from '@fleetset/plane/fleet/fleet';
import { type PlaneCore, startPlaneCore } from '@fleetset/plane/plane-core';
import { createBodyBook } from '@fleetset/plane/rollout/body-book';
import { createConfigRollouts } from '@fleetset/plane/rollout/config-rollouts';
import { openConfigSnapshots } from '@fleetset/plane/rollout/config-snapshots';
import { openGrantBook } from '@fleetset/plane/rollout/grants';
import { startRolloutLoop } from '@fleetset/plane/rollout/rollout-loop';
import { openRolloutRecords } from '@fleetset/plane/rollout/rollout-records';
import { openSqliteStore } from '@fleetset/plane/store/sqlite-store';
import type { Store } from '@fleetset/plane/store/store';
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { pino } from 'pino';
import { type BenchNode, nowText } from './planner-node.ts';

const API = { host: '192.0.2.1', port: 6443 };

const fail = (error: unknown): void => {
  throw error;
};

export type Parts = Pick<PlaneCore, 'fleet' | 'grants' | 'records'> & { readonly store: Store };

export interface BenchPlane<P extends Parts> {
  readonly parts: P;
  readonly connect: (node: BenchNode) => void;
  readonly hear: (node: BenchNode, report: NodeReport) => void;
  /** Its rollouts are looked at again. */
  readonly touch: (nodeName: string) => void;
  readonly close: () => Promise<void>;
}

export async function startLoopAlone() {
  const store = openSqliteStore(':memory:', fail);
  const monotonicNow = () => performance.now();
  const fleet = createFleet(monotonicNow);
  const grants = openGrantBook(store);
  const records = openRolloutRecords(store);
  const bodies = createBodyBook();
  const snapshots = await openConfigSnapshots(store, bodies);
  const configs = createConfigRollouts(store, snapshots);
  const parts = { store, fleet, grants, records, bodies, snapshots, configs, nowText, monotonicNow };
  const recorder = createEventRecorder(store, nowText, fail);
  const loop = startRolloutLoop({ ...parts, recorder, api: () => API, onFailure: fail });
  return {
    parts,
    connect: ({ name, session }: BenchNode) => fleet.change(name, { session }),
    hear: ({ name }: BenchNode, report: NodeReport) => {
      fleet.change(name, reportedChange(fleet.state(name), report));
      loop.touchNode(name);
    },
    touch: loop.touchNode,
    close: async () => {
      recorder.close();
      await loop.stop();
      await store.close();
    },
  };
}

/** `folder`: where its store is. */
export async function startWholeCore(folder: string) {
  const store = openSqliteStore(join(folder, 'plane.db'), fail);
  const logger = pino({ level: 'error' });
  const keys = [readTokenKey(newTokenKey())] as const;
  const core = await startPlaneCore({
    store,
    nodeMonitorGraceMs: 3_600_000,
    version: 'bench',
    logger,
    nowText,
    wallNow: () => Date.parse(nowText()),
    monotonicNow: () => performance.now(),
    caCertificate: 'none',
    tokenKeys: { all: () => keys },
    apiEndpoint: () => API,
  });
  const { fleet, grants, records, sessions, rollout } = core;
  return {
    parts: { store, fleet, grants, records },
    connect: ({ name, session }: BenchNode) => {
      const hello = {
        protocol: 1,
        agentVersion: 'bench',
        instanceId: name,
        machineId: name,
        accepted: undefined,
        held: undefined,
      };
      if (!sessions.admit({ nodeName: name, keyHash: name }, hello, session))
        fail(new Error(`${name} is refused`));
    },
    hear: ({ session }: BenchNode, report: NodeReport) =>
      sessions.receive(session, { $case: 'report', value: report }),
    touch: rollout.touchNode,
    close: core.stop,
  };
}
