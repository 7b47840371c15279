// Grants that never reached their node. As it connects it says what it was told last: what it was granted since is taken
// back before it is told anything, and granted again as the budget allows. It may have been set aside meanwhile, and
// others may spend what it would.
import type { Held } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Fleet } from '../fleet/fleet.ts';
import { adoptedBy } from '../fleet/orphans.ts';
import type { Store } from '../store/store.ts';
import { uidOf } from './follow-store.ts';
import { type GrantBook, takeBackGrant } from './grants.ts';

export interface UnheardGrants {
  /** `held`: undefined from an agent that does not say. */
  readonly connected: (nodeName: string, held: Held | undefined) => void;
  /** It is not told anything until its grants have been looked at; where some were taken back, until it has said what
   *  runs there, so that it is told what it may run instead. */
  readonly isOpen: (nodeName: string) => boolean;
  /** Answers with the DaemonSets concerned. */
  readonly takeBack: () => Promise<readonly string[]>;
}

interface Unheard {
  readonly uid: string;
  /** Empty: nothing. */
  readonly held: string;
}

const AWAITS_REPORT = 'awaits report';

export function createUnheardGrants(store: Store, fleet: Fleet, grants: GrantBook): UnheardGrants {
  const open = new Map<string, Held | typeof AWAITS_REPORT>();

  const unheardBy = (nodeName: string, { revisions }: Held): Unheard[] =>
    [...store.list('apps/daemonsets')].flatMap(({ value }) => {
      const uid = uidOf({ value });
      const granted = grants.of(uid).get(nodeName);
      if (granted === undefined) return [];
      const [held = ''] = [uid, ...adoptedBy(store, uid)].flatMap((told) => revisions[told] ?? []);
      return held === granted ? [] : [{ uid, held }];
    });

  const isReported = (nodeName: string): boolean => {
    const state = fleet.get(nodeName);
    return state?.session === undefined || state.reported;
  };

  return {
    connected: (nodeName, held) => {
      if (held) open.set(nodeName, held);
      else open.delete(nodeName);
    },
    isOpen: (nodeName) => open.has(nodeName),
    takeBack: async () => {
      for (const [nodeName, held] of open)
        if (held === AWAITS_REPORT && isReported(nodeName)) open.delete(nodeName);
      const looked = [...open].flatMap(([nodeName, held]) =>
        held === AWAITS_REPORT ? [] : [{ nodeName, held, unheard: unheardBy(nodeName, held) }],
      );
      const writes = looked.flatMap(({ nodeName, unheard }) =>
        unheard.map(({ uid, held }) => takeBackGrant(store, uid, nodeName, held)),
      );
      if (writes.length > 0) await store.commit(writes);
      for (const { nodeName, held, unheard } of looked) {
        if (open.get(nodeName) !== held) continue;
        if (unheard.length === 0 || isReported(nodeName)) open.delete(nodeName);
        else open.set(nodeName, AWAITS_REPORT);
      }
      return looked.flatMap(({ unheard }) => unheard.map(({ uid }) => uid));
    },
  };
}
