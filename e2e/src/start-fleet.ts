// Vitest's global set-up: the fleet is there before the first test and gone after the last.
import { fleet, NODES } from './fleet.ts';

export async function setup(): Promise<void> {
  await fleet('down');
  await fleet('up', '--nodes', String(NODES.length));
}

/** FLEETSET_KEEP=1 leaves it up, to look at. */
export async function teardown(): Promise<void> {
  if (!process.env.FLEETSET_KEEP) await fleet('down');
}
