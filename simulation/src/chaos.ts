// Everything that may happen to a fleet between its birth and the end of a run. Each run has some kinds of it only, so
// that what is rare among all kinds is common in some runs.
import type { Acts, Fleet } from './fleet.ts';
import { LINK_FAULTS } from './link-faults.ts';
import { MACHINE_FAULTS } from './machine-faults.ts';
import { LATER_OPERATIONS, OPERATIONS } from './operations.ts';
import { PROGRAM_FAULTS } from './program-faults.ts';

/** In this order: a seed picks by position. */
const FIRST: Acts = { ...OPERATIONS, ...PROGRAM_FAULTS, ...LINK_FAULTS, ...MACHINE_FAULTS };
const ALL: Acts = { ...FIRST, ...LATER_OPERATIONS };

export const KINDS: readonly string[] = Object.keys(FIRST);
export const LATER_KINDS: readonly string[] = Object.keys(LATER_OPERATIONS);

/** One thing of the given kinds happens now. */
export function happen(fleet: Fleet, kinds: readonly string[]): void {
  const kind = fleet.dice.pick(kinds);
  ALL[kind]?.(fleet);
}

/** All faults end. */
export function mend(fleet: Fleet): void {
  const { world } = fleet;
  fleet.mended = true;
  world.trace.note('world', 'all faults end');
  world.plane.defuse();
  world.plane.start();
  for (const machine of world.machines.values()) {
    machine.link.setCut(false);
    machine.link.setDoubling(false);
    machine.disk.setFull(false);
    machine.powerOn();
    machine.meddle((engine) => {
      engine.heal();
      engine.setDown(false);
    });
    machine.defuse();
    machine.startAgent();
  }
}
