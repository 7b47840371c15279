// Grants: the plane's leave for one node to run one revision of one DaemonSet. On disk before they are told.
import type { Store, Write } from '../store/store.ts';

export const GRANTS = 'fleetset/grants';

interface GrantRecord {
  readonly daemonSetUid: string;
  readonly node: string;
  /** The controller-revision-hash. */
  readonly revision: string;
}

/** All grants, by DaemonSet and node; follows the store. */
export interface GrantBook {
  readonly of: (daemonSetUid: string) => ReadonlyMap<string, string>;
  readonly sets: () => Iterable<string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

export function openGrantBook(store: Store): GrantBook {
  const book = new Map<string, Map<string, string>>();
  const put = ({ daemonSetUid, node, revision }: GrantRecord) => {
    const grants = book.get(daemonSetUid) ?? new Map<string, string>();
    grants.set(node, revision);
    book.set(daemonSetUid, grants);
  };
  const drop = ({ daemonSetUid, node }: GrantRecord) => {
    const grants = book.get(daemonSetUid);
    grants?.delete(node);
    if (grants?.size === 0) book.delete(daemonSetUid);
  };
  for (const { value } of store.list(GRANTS)) put(value as unknown as GrantRecord);
  store.watch(GRANTS, store.version(), ({ value, previous }) => {
    if (value) put(value as unknown as GrantRecord);
    else if (previous) drop(previous as unknown as GrantRecord);
  });
  return { of: (uid) => book.get(uid) ?? NONE, sets: () => book.keys() };
}

export const putGrant = (daemonSetUid: string, node: string, revision: string): Write => ({
  collection: GRANTS,
  id: `${daemonSetUid}/${node}`,
  value: { daemonSetUid, node, revision },
  durable: true,
});

export const dropGrant = (daemonSetUid: string, node: string): Write => ({
  collection: GRANTS,
  id: `${daemonSetUid}/${node}`,
  durable: true,
});
