// The volumes that the agent keeps for its pods, in a directory for each pod: set up before the pod's containers are
// made and before they are started, kept up to date while it lives, and gone with it.
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigProblem, isProblem, mountedVolumes } from '@fleetset/scheduler-core/node/config-data';
import type { PodFacts } from '@fleetset/scheduler-core/node/field-ref';
import {
  isConfigVolume,
  memoryVolumeBytes,
  type VolumeFile,
  volumeFiles,
  volumeMedium,
} from '@fleetset/scheduler-core/node/volume-files';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Volume } from '@fleetset/scheduler-core/schema/volume';
import type { PodConfig } from '../node/pod-config.ts';
import { prepareHostPath } from '../runtime/host-path.ts';
import { DATA, hasFiles, writeAtomically } from './atomic-files.ts';
import type { Mounts } from './mounts.ts';
import { makeMountPoint, nestedMounts } from './nested-mounts.ts';
import { bindSubPath } from './sub-path.ts';

/** A pod as its volumes need it. */
export interface VolumePod {
  readonly spec: PodSpec;
  readonly facts: PodFacts;
  readonly config: PodConfig;
  /** The machine's number of its root: its users and groups count from there. */
  readonly mappedRoot: number;
}

class ConfigWanting extends Error {
  readonly untold: boolean;
  constructor({ message, untold }: ConfigProblem) {
    super(message);
    this.untold = untold === true;
  }
}

/** A volume cannot be set up or brought up to date; the message is Kubernetes'. */
export class VolumeFailure extends Error {
  /** A ConfigMap or Secret is not as it must be: trying again does not help. */
  readonly forConfig: boolean;
  /** That is only a matter of being told. */
  readonly untold: boolean;
  constructor(volume: string, cause: Error) {
    super(`MountVolume.SetUp failed for volume ${JSON.stringify(volume)} : ${cause.message}`, { cause });
    this.forConfig = cause instanceof ConfigWanting;
    this.untold = cause instanceof ConfigWanting && cause.untold;
  }
}

export interface PodVolumes {
  /** The part of `ensure` that needs no config, while that is on its way. What fails here fails again there. */
  readonly begin: (pod: VolumePod) => Promise<void>;
  /** All volumes that a container of the pod mounts are there. Throws VolumeFailure. */
  readonly ensure: (pod: VolumePod) => Promise<void>;
  /** Neither of these two would do anything. */
  readonly isCurrent: (pod: VolumePod) => boolean;
  /** Files that follow ConfigMaps and Secrets are as those are now, where `ensure` was done. Throws VolumeFailure. */
  readonly refresh: (pod: VolumePod) => Promise<void>;
  /** What to mount for a volume, or for a path in it, into the `index`th mount of a container. */
  readonly sourceOf: (
    pod: VolumePod,
    volume: Volume,
    subPath: string,
    container: string,
    index: number,
  ) => Promise<string>;
  /** When no container of the pod is left. */
  readonly remove: (podUid: string) => Promise<void>;
  /** Of pods that are no more. */
  readonly removeAllBut: (podUids: ReadonlySet<string>) => Promise<void>;
}

/** `directory`: the engine sees it under the same path. */
export function openPodVolumes(directory: string, mounts: Mounts): PodVolumes {
  /** With which state of its ConfigMaps and Secrets each pod was set up in this agent's life. */
  const setUp = new Map<string, string>();
  const turns = new Map<string, Promise<void>>();
  const inTurn = (uid: string, run: () => Promise<void>): Promise<void> => {
    const turn = (turns.get(uid) ?? Promise.resolve()).catch(() => {}).then(run);
    turns.set(uid, turn);
    const forget = () => turns.get(uid) === turn && turns.delete(uid);
    turn.then(forget, forget);
    return turn;
  };
  const podDirectory = (uid: string) => join(directory, uid);
  const volumeDirectory = (uid: string, { name }: Volume) => join(podDirectory(uid), 'volumes', name);

  const place = async (pod: VolumePod, volume: Volume): Promise<string> => {
    const { spec, facts, mappedRoot } = pod;
    const path = volumeDirectory(facts.uid, volume);
    const group = groupOf(pod);
    if (volumeMedium(volume) === 'disk') await makeDirectory(path, mappedRoot, group);
    else {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await mounts.tmpfs(path, {
        ...(volume.emptyDir ? { sizeBytes: sizeOf(volume, spec, facts) } : {}),
        ...(mappedRoot === 0 ? {} : { user: mappedRoot }),
        ...(group === undefined ? {} : { group }),
      });
    }
    return path;
  };

  const setUpOne = async (pod: VolumePod, volume: Volume) => {
    const path = await place(pod, volume);
    if (isConfigVolume(volume)) await fill(pod, volume, path);
  };

  const fill = async (pod: VolumePod, volume: Volume, path: string) => {
    const files = volumeFiles(volume, {
      spec: pod.spec,
      pod: pod.facts,
      config: pod.config.lookup,
      tokens: pod.config.tokens,
    });
    if (isProblem(files)) throw new ConfigWanting(files);
    const written = files.map((file) => asWritten(file, pod.mappedRoot));
    await writeAtomically(path, written, groupOf(pod));
  };

  const rootOf = (uid: string, volume: Volume) => volume.hostPath?.path ?? volumeDirectory(uid, volume);

  /** When all volumes are there: what comes to a place says whether that is a file. */
  const makeMountPoints = async ({ spec, facts: { uid } }: VolumePod, volume: Volume) => {
    for (const { path, mount } of nestedMounts(spec, volume.name)) {
      const source = spec.volumes?.find(({ name }) => name === mount.name);
      const from =
        source && !mount.subPathExpr
          ? await stat(pathIn(rootOf(uid, source), source, mount.subPath ?? '')).catch(() => undefined)
          : undefined;
      await makeMountPoint(volumeDirectory(uid, volume), path, from && !from.isDirectory());
    }
  };

  /** What it was filled with it keeps, as in Kubernetes: only a volume that is empty stops a pod. */
  const unlessFilled = async (path: string, run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ConfigWanting) || !(await hasFiles(path))) throw error;
    }
  };

  const guarded = async (volume: Volume, run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      throw new VolumeFailure(volume.name, error as Error);
    }
  };

  const prepareHosts = async ({ spec }: VolumePod) => {
    for (const volume of mountedVolumes(spec)) {
      const { hostPath } = volume;
      if (hostPath) await guarded(volume, () => prepareHostPath(hostPath.path, hostPath.type ?? ''));
    }
  };

  const refreshAll = async (pod: VolumePod) => {
    let first: unknown;
    for (const volume of mountedVolumes(pod.spec).filter(isConfigVolume))
      await guarded(volume, () => fill(pod, volume, volumeDirectory(pod.facts.uid, volume))).catch(
        (error: unknown) => {
          first ??= error;
        },
      );
    const forConfig = first instanceof VolumeFailure && first.forConfig;
    if (first === undefined || forConfig) setUp.set(pod.facts.uid, pod.config.state);
    if (first !== undefined) throw first;
  };

  return {
    isCurrent: ({ spec, facts, config }) =>
      ownVolumes(spec).length === 0 || setUp.get(facts.uid) === config.state,
    begin: async (pod) => {
      const { uid } = pod.facts;
      if (setUp.has(uid)) return;
      const placeAll = async () => {
        for (const volume of ownVolumes(pod.spec)) await place(pod, volume);
      };
      await inTurn(uid, placeAll).catch(() => {});
    },
    ensure: async (pod) => {
      await prepareHosts(pod);
      const { uid } = pod.facts;
      const own = ownVolumes(pod.spec);
      if (own.length === 0 || setUp.has(uid)) return;
      await inTurn(uid, async () => {
        if (setUp.has(uid)) return;
        for (const volume of own)
          await guarded(volume, () =>
            unlessFilled(volumeDirectory(uid, volume), () => setUpOne(pod, volume)),
          );
        for (const volume of own.filter(isConfigVolume))
          await guarded(volume, () => makeMountPoints(pod, volume));
        setUp.set(uid, pod.config.state);
      });
    },
    refresh: async (pod) => {
      const { uid } = pod.facts;
      const isCurrent = () => !setUp.has(uid) || setUp.get(uid) === pod.config.state;
      if (isCurrent()) return;
      await inTurn(uid, async () => {
        if (!isCurrent()) await refreshAll(pod);
      });
    },
    sourceOf: async ({ facts }, volume, subPath, container, index) => {
      const root = rootOf(facts.uid, volume);
      if (subPath === '') return root;
      // Only the agent writes there. The engine follows the links when it starts the container.
      if (isConfigVolume(volume)) {
        const path = pathIn(root, volume, subPath);
        await stat(path);
        return path;
      }
      const name = `${index}-${createHash('sha256').update(subPath).digest('hex').slice(0, 12)}`;
      const target = join(podDirectory(facts.uid), 'subpaths', container, name);
      await bindSubPath(mounts, root, subPath, target);
      return target;
    },
    remove: (uid) =>
      inTurn(uid, async () => {
        setUp.delete(uid);
        await removeTree(podDirectory(uid));
      }),
    removeAllBut: async (uids) => {
      for (const name of await readdir(directory).catch(() => []))
        if (!uids.has(name)) await removeTree(join(directory, name));
    },
  };

  /** Never through a mount: behind a bound path lies a directory of the host. */
  async function removeTree(path: string): Promise<void> {
    if ((await stat(path).catch(() => undefined)) === undefined) return;
    await mounts.unmountAll(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Made as a whole or not at all, and never changed again: it is the containers' then. */
async function makeDirectory(path: string, user: number, group: number | undefined): Promise<void> {
  if (await stat(path).catch(() => undefined)) return;
  const beside = `${path}.new`;
  await mkdir(beside, { recursive: true, mode: 0o700 });
  if (group !== undefined || user !== 0) await chown(beside, user, group ?? user);
  await chmod(beside, group === undefined ? 0o777 : 0o2777);
  await rename(beside, path);
}

/** A file of a ConfigMap or Secret also where a mount hides it. */
const pathIn = (root: string, volume: Volume, subPath: string): string =>
  isConfigVolume(volume) && subPath !== '' && !subPath.startsWith('..')
    ? join(root, DATA, subPath)
    : join(root, subPath);

const ownVolumes = (spec: PodSpec): readonly Volume[] =>
  mountedVolumes(spec).filter(({ hostPath }) => !hostPath);

const sizeOf = (volume: Volume, spec: PodSpec, { allocatable }: PodFacts): number =>
  memoryVolumeBytes(volume, spec, allocatable.memoryBytes);

/** On the machine. */
const groupOf = ({ spec, mappedRoot }: VolumePod): number | undefined => {
  const group = spec.securityContext?.fsGroup;
  return group === undefined ? undefined : mappedRoot + group;
};

const asWritten = ({ path, mode, user = 0, content }: VolumeFile, mappedRoot: number) => ({
  path,
  mode,
  user: mappedRoot + user,
  content: 'text' in content ? Buffer.from(content.text, 'utf8') : Buffer.from(content.base64, 'base64'),
});
