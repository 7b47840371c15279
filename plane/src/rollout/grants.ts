// Grants: the plane's leave for one node to run one revision of one DaemonSet. On disk before they are told.
import type { Store, Write } from '../store/store.ts';

export const GRANTS = 'fleetset/grants';

interface GrantRecord {
  readonly daemonSetUid: string;
  readonly node: string;
  /** The controller-revision-hash. */
  readonly revision: string;
  /** Made under a surge: the node carries it out as one, also when the surge is switched off meanwhile. */
  readonly surge?: boolean;
  /** What was granted before, the last of it last: what the node goes by if it has not heard of this one. */
  readonly earlier?: readonly string[];
}

/** All grants, by DaemonSet and node; follows the store. */
export interface GrantBook {
  readonly of: (daemonSetUid: string) => ReadonlyMap<string, string>;
  readonly isSurge: (daemonSetUid: string, node: string) => boolean;
  readonly sets: () => Iterable<string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

export function openGrantBook(store: Store): GrantBook {
  const book = new Map<string, Map<string, string>>();
  /** Nodes by DaemonSet; most have none. */
  const surges = new Map<string, Set<string>>();
  const endSurge = (daemonSetUid: string, node: string) => {
    const nodes = surges.get(daemonSetUid);
    nodes?.delete(node);
    if (nodes?.size === 0) surges.delete(daemonSetUid);
  };
  const put = ({ daemonSetUid, node, revision, surge }: GrantRecord) => {
    if (surge) surges.set(daemonSetUid, (surges.get(daemonSetUid) ?? new Set()).add(node));
    else endSurge(daemonSetUid, node);
    const grants = book.get(daemonSetUid) ?? new Map<string, string>();
    grants.set(node, revision);
    book.set(daemonSetUid, grants);
  };
  const drop = ({ daemonSetUid, node }: GrantRecord) => {
    const grants = book.get(daemonSetUid);
    grants?.delete(node);
    if (grants?.size === 0) book.delete(daemonSetUid);
    endSurge(daemonSetUid, node);
  };
  for (const { value } of store.list(GRANTS)) put(value as unknown as GrantRecord);
  store.watch(GRANTS, store.version(), ({ value, previous }) => {
    if (value) put(value as unknown as GrantRecord);
    else if (previous) drop(previous as unknown as GrantRecord);
  });
  return {
    of: (uid) => book.get(uid) ?? NONE,
    isSurge: (uid, node) => surges.get(uid)?.has(node) ?? false,
    sets: () => book.keys(),
  };
}

const idOf = (daemonSetUid: string, node: string): string => `${daemonSetUid}/${node}`;

/** Revisions that some node was granted. */
export const grantedRevisions = (store: Store, daemonSetUid: string): string[] =>
  [...store.list(GRANTS)]
    .map(({ value }) => value as unknown as GrantRecord)
    .filter((grant) => grant.daemonSetUid === daemonSetUid)
    .map(({ revision }) => revision);

/** Who is further behind keeps what it was granted last. */
const MOST_EARLIER = 8;

const grantIn = (store: Store, daemonSetUid: string, node: string): GrantRecord | undefined =>
  store.get(GRANTS, idOf(daemonSetUid, node))?.value as GrantRecord | undefined;

export function putGrant(
  store: Store,
  daemonSetUid: string,
  node: string,
  revision: string,
  surge = false,
  /** Whose pods are this one's now. */
  inheritedFrom = daemonSetUid,
): Write {
  const before = grantIn(store, inheritedFrom, node);
  const all = [...(before?.earlier ?? []), ...(before ? [before.revision] : [])];
  const earlier = all.filter((one) => one !== revision).slice(-MOST_EARLIER);
  return {
    collection: GRANTS,
    id: idOf(daemonSetUid, node),
    value: {
      daemonSetUid,
      node,
      revision,
      ...(surge ? { surge } : {}),
      ...(earlier.length > 0 ? { earlier } : {}),
    },
    durable: true,
  };
}

/** The node holds what it was granted earlier: it is as if nothing had been granted since. Whoever says that it holds
 *  anything else gets nothing for it. */
export function takeBackGrant(store: Store, daemonSetUid: string, node: string, held: string): Write[] {
  const { revision, earlier = [], surge } = grantIn(store, daemonSetUid, node) ?? {};
  const isUnheard = revision !== held && earlier.includes(held);
  return isUnheard ? [putGrant(store, daemonSetUid, node, held, surge)] : [];
}

export const dropGrant = (daemonSetUid: string, node: string): Write => ({
  collection: GRANTS,
  id: idOf(daemonSetUid, node),
  durable: true,
});
