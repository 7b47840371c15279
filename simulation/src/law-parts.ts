// What every law looks with.
import type { Store } from '@fleetset/plane/store/store';
import type { Machine } from './machine.ts';
import type { Orphans } from './orphans.ts';
import type { Trace } from './trace.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface LawParts {
  readonly time: VirtualTime;
  readonly trace: Trace;
  readonly graceMs: number;
  readonly machines: () => Iterable<Machine>;
  readonly orphans: Pick<Orphans, 'isNobodys' | 'ownersOf'>;
  /** The plane's store, as it was when it was seen last. */
  readonly store: () => Store | undefined;
  /** What the clock on the plane's wall says. */
  readonly planeWallNow: () => number;
  /** Calls back at an instant of the run. */
  readonly later: (ms: number, run: () => void) => void;
}
