// Mounts below a volume that its containers may only read (a Secret in a directory of a ConfigMap): the engine cannot
// make a place for them there, so the agent does, as kubelet does.
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { allContainers } from '@fleetset/scheduler-core/node/pod-record';
import type { Container, VolumeMount } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';

export interface NestedMount {
  /** Relative to the volume. */
  readonly path: string;
  /** What comes there. */
  readonly mount: VolumeMount;
}

/** Directly below the volume, in any container; not what lies below another mount in between. */
export const nestedMounts = (spec: PodSpec, volume: string): readonly NestedMount[] =>
  allContainers(spec).flatMap((container) => nestedIn(container, volume));

function nestedIn({ volumeMounts = [] }: Container, volume: string): NestedMount[] {
  const all = volumeMounts.map((mount) => ({ mount, at: posix.resolve('/', mount.mountPath) }));
  const isBelow = (at: string, base: string) => at.startsWith(`${base}/`);
  const bases = all.filter(({ mount }) => mount.name === volume && !mount.subPath && !mount.subPathExpr);
  return bases.flatMap((base) =>
    all
      .filter(({ at }) => isBelow(at, base.at))
      .filter(({ at }) => !all.some((between) => isBelow(between.at, base.at) && isBelow(at, between.at)))
      .map(({ mount, at }) => ({ path: at.slice(base.at.length + 1), mount })),
  );
}

/** `isFile`: undefined while that is not known; then a file of the volume itself is the place, where there is one. Else
 *  the mount hides it, as in Kubernetes: with the next update the mount would be gone from it. */
export async function makeMountPoint(
  directory: string,
  path: string,
  isFile: boolean | undefined,
): Promise<void> {
  const place = join(directory, path);
  const first = join(directory, path.split('/')[0] ?? '');
  if ((await lstat(first).catch(() => undefined))?.isSymbolicLink()) {
    if (isFile === undefined) return;
    await rm(first);
  }
  try {
    await mkdir(isFile ? dirname(place) : place, { recursive: true, mode: 0o755 });
    if (isFile) await writeFile(place, '', { flag: 'ax', mode: 0o644 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
