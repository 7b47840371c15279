// Every container of this agent at a glance: the engine's list, and an inspection of what is new in it.
import { identityOf, OWNER_LABEL } from './container-labels.ts';
import { isRuntimeError, type RuntimeContainer, RuntimeError } from './container-runtime.ts';
import { type EngineDetails, type EngineRow, fromDetails, fromRow } from './engine-container.ts';

export interface LookParts {
  /** Whose containers they are. */
  readonly owner: string;
  readonly rows: () => Promise<readonly ListedRow[]>;
  /** Must fail when no answer comes: every look waits for it. */
  readonly inspect: (id: string) => Promise<EngineDetails>;
}

type ListedRow = EngineRow & {
  readonly Labels: { readonly [name: string]: string };
  /** Seconds since the epoch. */
  readonly Created: number;
};

export interface Look {
  readonly list: () => Promise<readonly RuntimeContainer[]>;
  /** Undefined when it is not there, or none of this agent's. */
  readonly inspect: (id: string) => Promise<RuntimeContainer | undefined>;
  /** Ids of those that no pod can be told of, or that another has the place of. */
  readonly strays: () => Promise<readonly string[]>;
  /** This agent has just made it: until something happens to it, its row in the list says all. */
  readonly made: (id: string) => void;
  /** This agent tried to start it just now, and could not. */
  readonly startFailed: (id: string) => void;
  /** Something happened to this container, or to any. */
  readonly changed: (id?: string) => void;
}

interface Inspected {
  /** The engine's word. */
  readonly state: string;
  readonly container: RuntimeContainer;
  /** Nothing happened to it since. */
  fresh: boolean;
}

/** For so long nothing more is asked about what did not answer. */
const SILENT_MS = 15_000;

export function createLook(parts: LookParts): Look {
  /** What inspecting said last; good while it is fresh and the list says the same state. */
  const inspected = new Map<string, Inspected>();
  const silentUntil = new Map<string, number>();
  const justMade = new Set<string>();
  /** When that was, by the engine's clock: it is this machine's. */
  const failedStarts = new Map<string, string>();
  /** Under way, several for one container maybe. What happens to it meanwhile makes the answer one that is not fresh. */
  const asking = new Set<{ readonly id: string; changed: boolean }>();

  /** Undefined when it vanished meanwhile, or is not one of ours. */
  const inspect = async (id: string): Promise<RuntimeContainer | undefined> => {
    if ((silentUntil.get(id) ?? 0) > performance.now())
      throw new RuntimeError('timeout', 'it did not answer a moment ago');
    const question = { id, changed: false };
    asking.add(question);
    try {
      const details = await parts.inspect(id);
      const { Labels } = details.Config;
      const identity = identityOf(Labels);
      if (!identity || Labels[OWNER_LABEL] !== parts.owner) return undefined;
      const container = { identity, ...fromDetails(details, failedStarts.get(id)) };
      inspected.set(id, { state: details.State.Status, container, fresh: !question.changed });
      return container;
    } catch (error) {
      if (isRuntimeError(error, 'not-found')) return undefined;
      if (isRuntimeError(error, 'timeout')) silentUntil.set(id, performance.now() + SILENT_MS);
      throw error;
    } finally {
      asking.delete(question);
    }
  };

  /** Undefined when it vanished meanwhile, or is not one of ours. */
  const see = async (row: ListedRow): Promise<RuntimeContainer | undefined> => {
    const identity = identityOf(row.Labels);
    if (!identity) return undefined;
    if (row.State === 'created' && justMade.has(row.Id)) return { identity, ...fromRow(row, '') };
    const before = inspected.get(row.Id);
    const known = before?.state === row.State ? before : undefined;
    if (known?.fresh) return known.container;
    // One that cannot be inspected is no reason to see none: the others must be started when they end.
    return inspect(row.Id).catch(
      (error: Error) => known?.container ?? { identity, ...fromRow(row, error.message) },
    );
  };

  return {
    inspect,
    list: async () => {
      const rows = await parts.rows();
      const present = new Set(rows.map(({ Id }) => Id));
      for (const book of [inspected, silentUntil, failedStarts])
        for (const id of book.keys()) if (!present.has(id)) book.delete(id);
      for (const id of justMade) if (!present.has(id)) justMade.delete(id);
      const containers = await Promise.all(firstOfEach(rows).map(see));
      return containers.filter((container) => container !== undefined);
    },
    strays: async () => {
      const rows = await parts.rows();
      const known = new Set(firstOfEach(rows));
      return rows.filter((row) => !known.has(row)).map(({ Id }) => Id);
    },
    made: (id) => void justMade.add(id),
    startFailed: (id) => void failedStarts.set(id, new Date().toISOString()),
    changed: (id) => {
      for (const question of asking) if (id === undefined || question.id === id) question.changed = true;
      if (id === undefined) justMade.clear();
      else justMade.delete(id);
      for (const [key, known] of inspected) if (id === undefined || key === id) known.fresh = false;
      // The engine is done with what kept it from answering.
      if (id !== undefined) silentUntil.delete(id);
    },
  };
}

/** Of several with one identity the first that was made: the others were made by hand, with its labels. Those without
 *  an identity are none's. */
function firstOfEach(rows: readonly ListedRow[]): ListedRow[] {
  const first = new Map<string, ListedRow>();
  for (const row of rows) {
    const identity = identityOf(row.Labels);
    if (!identity) continue;
    const key = `${identity.pod.uid}/${identity.name}/${identity.attempt}`;
    const other = first.get(key);
    if (!other || isOlder(row, other)) first.set(key, row);
  }
  return [...first.values()];
}

const isOlder = (a: ListedRow, b: ListedRow): boolean =>
  a.Created === b.Created ? a.Id < b.Id : a.Created < b.Created;
