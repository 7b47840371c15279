// A whole fleet in one process: the real plane, the real agents, and between and beneath them what the run makes up.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiError } from '@fleetset/plane/api/api-error';
import type { Objects } from '@fleetset/plane/api/objects';
import type { Store } from '@fleetset/plane/store/store';
import { registerNode } from '@fleetset/plane/sync/join';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { createDice, type Dice } from './dice.ts';
import { createLaws, type Laws } from './laws.ts';
import { createMachine, type Machine } from './machine.ts';
import { createLink } from './network.ts';
import { createOrphans } from './orphans.ts';
import { createPlaneHost, type PlaneHost } from './plane-host.ts';
import { newProgram } from './program.ts';
import { createTrace, type Trace } from './trace.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';

export interface World {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly plane: PlaneHost;
  readonly laws: Laws;
  readonly machines: Map<string, Machine>;
  /** All that the plane ever told each node to be. */
  readonly told: Map<string, Buffer[]>;
  /** The plane's store, as it was when it was seen last. */
  readonly store: () => Store | undefined;
  /** A machine that joins: on, with its agent, in the fleet as soon as the plane answers. */
  readonly addMachine: (
    name: string,
    labels: { readonly [key: string]: string },
    windows?: readonly MaintenanceWindow[],
  ) => Machine;
  /** Somebody uses the API, as soon as the plane answers. What it refuses for reasons of time is let go. */
  readonly use: (what: string, run: (objects: Objects, store: Store) => Promise<unknown>) => void;
  readonly later: (ms: number, run: () => void) => void;
  readonly close: () => void;
}

export const GRACE_MS = 40_000;
export const IMAGES = ['app:1', 'app:2', 'app:3'];
/** Memory, where there is a file system for it: what is flushed is a matter of the copy at a crash. */
const SCRATCH = '/dev/shm';
/** Tells the dice for secrets from all others. */
const SECRETS = 0x5ec7e75;

export function createWorld(seed: number, wholeTrace = false): World {
  const dice = createDice(seed);
  const directory = mkdtempSync(join(process.platform === 'linux' ? SCRATCH : tmpdir(), 'fleetset-run-'));
  const time = createVirtualTime(dice, createDice(seed ^ SECRETS), (error, { name }) =>
    trace.break('nothing fails', `${name} threw: ${(error as Error).stack}`),
  );
  const trace = createTrace(time.now, wholeTrace);
  const world = newProgram('world', time);
  const machines = new Map<string, Machine>();
  const told = new Map<string, Buffer[]>();
  let store: Store | undefined;
  const later = (ms: number, run: () => void) => void time.after(ms, world, run);
  const onFailure = (error: unknown, { name, alive }: { name: string; alive: boolean }) => {
    if (alive) trace.break('nothing fails', `${name}: ${(error as Error).stack ?? String(error)}`);
  };
  const orphans = createOrphans();
  const laws = createLaws({
    time,
    trace,
    graceMs: GRACE_MS,
    machines: () => machines.values(),
    orphans,
    store: () => store,
    planeWallNow: () => plane.wallNow(),
    later,
  });
  const plane = createPlaneHost({
    directory,
    time,
    graceMs: GRACE_MS,
    keyHashOf: (name) => machines.get(name)?.keyHash ?? '',
    loggerOf: trace.loggerOf,
    onStarted: (running) => {
      store = running.store;
      trace.note('plane', 'has started');
      orphans.follow(running.store);
      laws.onPlane(running.store);
    },
    onGone: () => {
      trace.note('plane', 'is gone');
      for (const { link } of machines.values()) link.planeDied();
    },
    onFailure,
  });

  const use: World['use'] = (what, run) => {
    const listener = plane.listener();
    const running = plane.now();
    if (!listener || !running) return later(500, () => use(what, run));
    time.after(1, listener.program, () => {
      trace.note('operator', what);
      run(running.core.objects, running.store).catch((error: unknown) => {
        if (error instanceof ApiError && (error.code === 404 || error.code === 409))
          trace.note('operator', `${what}: ${error.message}`);
        else onFailure(error, listener.program);
      });
    });
  };

  return {
    seed,
    time,
    dice,
    trace,
    plane,
    laws,
    machines,
    told,
    store: () => store,
    use,
    later,
    addMachine: (name, labels, windows) => {
      const link = createLink({
        nodeName: name,
        listener: plane.listener,
        world,
        onSaid: (request) => laws.onSaid(machine, request),
        onHeard: (request) => laws.onHeard(machine, request),
        onTold: (bytes) => {
          if (laws.onTold(machine, bytes) === 'desired') told.set(name, [...(told.get(name) ?? []), bytes]);
        },
      });
      const machine: Machine = createMachine({
        name,
        keyHash: `key of ${name}`,
        time,
        link,
        labels,
        ...(windows ? { windows } : {}),
        ownerOf: orphans.ownerOf,
        loggerOf: trace.loggerOf,
        onEngine: () => laws.onEngine(machine),
        onEnd: (container) => laws.onEnd(machine, container),
        onFailure,
      });
      machines.set(name, machine);
      for (const image of IMAGES) machine.engine.addImage(image, { pullable: true });
      use(`${name} joins`, (_objects, joined) =>
        registerNode({ store: joined, nowText: () => utcText(Date.now()) }, name, machine.keyHash),
      );
      later(500, () => machine.startAgent());
      return machine;
    },
    close: () => {
      plane.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
