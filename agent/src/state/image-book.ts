// Which images this agent brought to the engine, and which templates worked here lately: what may be removed when the
// disk is full, and what must not. On disk, since the engine does not say who pulled what.
import { join } from 'node:path';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { familiarName } from '../runtime/image-name.ts';
import { type Files, MACHINE_FILES, readIfThere, writeDurable } from './durable-file.ts';
import { groupedWrites } from './grouped-writes.ts';

export interface PulledImage {
  readonly id: string;
  /** The names it was pulled by that still mean it; none once a name was pulled again and means another. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly pulledAt: number;
  readonly usedAt: number;
}

export interface ImageBook {
  readonly pulled: () => readonly PulledImage[];
  /** `before`: what the name meant when the pull began; undefined: nothing. */
  readonly add: (name: string, id: string, before: string | undefined, now: number) => Promise<void>;
  /** These are in use. Worth little: on disk with the next change. */
  readonly touch: (ids: ReadonlySet<string>, now: number) => void;
  /** No other image is there any more. */
  readonly keepOnly: (ids: ReadonlySet<string>) => Promise<void>;
  /** Pods of these templates are available here now: said with each report, so on disk soon, not at once. */
  readonly noteWorking: (daemonSetUid: string, templates: readonly WorkingTemplate[]) => void;
  /** Of the last templates that worked, by DaemonSet. */
  readonly workingImages: () => readonly string[];
  /** These are the DaemonSets that there are: told anew after each start, so on disk with the next change. */
  readonly keepSets: (daemonSetUids: ReadonlySet<string>) => void;
  /** What is still to be written is on disk when it resolves. */
  readonly flush: () => Promise<void>;
}

export interface WorkingTemplate {
  readonly templateHash: string;
  readonly images: readonly string[];
}

interface Content {
  readonly pulled: readonly PulledImage[];
  readonly working: { readonly [daemonSetUid: string]: readonly WorkingTemplate[] };
}

/** The one that runs, and the one that a rollback would bring back. */
const WORKING_KEPT = 2;
const LAZY_WRITE_MS = 3000;

export async function openImageBook(
  directory: string,
  onFailure: (error: unknown) => void,
  files = MACHINE_FILES,
): Promise<ImageBook> {
  const path = join(directory, 'images.json');
  let content = await readContent(files, path, onFailure);
  const writing = groupedWrites(() =>
    writeDurable(path, JSON.stringify(content), 0o600, files).catch(onFailure),
  );
  let last = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    last = writing();
    return last;
  };

  /** Known at once; on disk when it resolves. What cannot be written is told, and no reason to stop. */
  const change = (to: Content): Promise<void> => {
    if (sameJson(to, content)) return Promise.resolve();
    content = to;
    return write();
  };

  return {
    pulled: () => content.pulled,
    add: (name, id, before, now) =>
      before === id
        ? Promise.resolve()
        : change({ ...content, pulled: withPulled(content.pulled, name, id, now) }),
    touch: (ids, now) => {
      content = {
        ...content,
        pulled: content.pulled.map((image) => (ids.has(image.id) ? { ...image, usedAt: now } : image)),
      };
    },
    keepOnly: (ids) => change({ ...content, pulled: content.pulled.filter(({ id }) => ids.has(id)) }),
    noteWorking: (uid, templates) => {
      const before = content.working[uid] ?? [];
      const isKnown = ({ templateHash }: WorkingTemplate) =>
        before.some((one) => one.templateHash === templateHash);
      const isNow = ({ templateHash }: WorkingTemplate) =>
        templates.some((one) => one.templateHash === templateHash);
      // Of two that work at once neither takes the other's place again and again.
      if (templates.every(isKnown) && before[0] && isNow(before[0])) return;
      const working = [
        ...templates.filter((one) => !isKnown(one)),
        ...before.filter(isNow),
        ...before.filter((one) => !isNow(one)),
      ].slice(0, WORKING_KEPT);
      content = { ...content, working: { ...content.working, [uid]: working } };
      timer ??= setTimeout(() => void write(), LAZY_WRITE_MS);
    },
    workingImages: () =>
      Object.values(content.working).flatMap((kept) => kept.flatMap(({ images }) => images)),
    keepSets: (uids) => {
      const kept = Object.entries(content.working).filter(([uid]) => uids.has(uid));
      content = { ...content, working: Object.fromEntries(kept) };
    },
    flush: () => (timer ? write() : last),
  };
}

/** The name means this image from now on, and no other. */
function withPulled(pulled: readonly PulledImage[], image: string, id: string, now: number): PulledImage[] {
  const name = familiarName(image);
  const without = pulled.map((one) => ({ ...one, names: one.names.filter((other) => other !== name) }));
  const known = without.find((one) => one.id === id);
  const others = without.filter((one) => one.id !== id);
  return [
    ...others,
    { id, names: [...(known?.names ?? []), name], pulledAt: known?.pulledAt ?? now, usedAt: now },
  ];
}

const NOTHING: Content = { pulled: [], working: {} };

async function readContent(
  files: Files,
  path: string,
  onUnreadable: (error: unknown) => void,
): Promise<Content> {
  try {
    const text = await readIfThere(path, files);
    if (!text) return NOTHING;
    const { pulled, working } = JSON.parse(text.toString('utf8')) as Partial<Content>;
    if (!Array.isArray(pulled) || typeof working !== 'object' || working === null)
      throw new Error('images.json does not hold images');
    return { pulled, working };
  } catch (error) {
    // Then no image is known to be ours, and none is removed.
    onUnreadable(error);
    return NOTHING;
  }
}
