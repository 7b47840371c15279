// Vitest's global set-up: the fleet is there before the first test and gone after the last. Its plane calls a silent node
// Unknown sooner than by default, so that a test need not wait 40 s for it.
import { fleet, NODES } from './fleet.ts';

export async function setup(): Promise<void> {
  await fleet('down');
  process.env.FLEETSET_PLANE_ARGS = '--node-monitor-grace-period 12s';
  await fleet('up', '--nodes', String(NODES.length));
}

/** FLEETSET_KEEP=1 leaves it up, to look at. */
export async function teardown(): Promise<void> {
  if (!process.env.FLEETSET_KEEP) await fleet('down');
}
