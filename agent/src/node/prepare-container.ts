// What a container needs of its pod before the engine can make it: its volumes, the places its mounts come from, and
// its environment.
import {
  type ApiEndpoint,
  composeEnvironment,
  type Environment,
} from '@fleetset/scheduler-core/node/compose-environment';
import { isProblem } from '@fleetset/scheduler-core/node/config-data';
import { expandSubPath } from '@fleetset/scheduler-core/node/expand-variables';
import { type Allocatable, type PodFacts, wantsPodAddress } from '@fleetset/scheduler-core/node/field-ref';
import { allContainers, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import { accountName } from '@fleetset/scheduler-core/node/service-account';
import { isConfigVolume } from '@fleetset/scheduler-core/node/volume-files';
import { REVISION_LABEL } from '@fleetset/scheduler-core/revision-history';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec, PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import { RuntimeError } from '../runtime/container-runtime.ts';
import { type PodVolumes, VolumeFailure, type VolumePod } from '../volumes/pod-volumes.ts';
import { ActionFailed } from './action-failed.ts';
import type { PodConfig } from './pod-config.ts';
import type { PodTokens } from './pod-tokens.ts';

export interface PrepareParts {
  readonly volumes: PodVolumes;
  readonly tokens: Pick<PodTokens, 'settled'>;
  readonly nodeName: string;
  readonly nodeIp: () => string | undefined;
  readonly allocatable: Allocatable;
  /** Who root is on the machine in a pod with users of its own. */
  readonly mappedRoot: () => number | undefined;
  /** Where pods find the API; undefined while the plane has not said. */
  readonly api: () => ApiEndpoint | undefined;
  readonly configOf: (record: PodRecord, template: PodTemplateSpec) => PodConfig;
  readonly monotonicNow: () => number;
}

export interface PreparedContainer {
  readonly environment: Environment;
  /** What each of its volumeMounts mounts, in their order. */
  readonly sources: readonly string[];
}

/** `podIp`: absent when the pod has a network of its own that is not up yet. */
export function volumePod(
  parts: PrepareParts,
  record: PodRecord,
  template: PodTemplateSpec,
  podIp?: string,
): VolumePod {
  const spec = template.spec ?? { containers: [] };
  const { name, namespace, uid, revision } = record;
  const hostIp = parts.nodeIp();
  const address = spec.hostNetwork ? hostIp : podIp;
  const facts: PodFacts = {
    name,
    namespace,
    uid,
    labels: { ...template.metadata?.labels, [REVISION_LABEL]: revision },
    annotations: template.metadata?.annotations ?? {},
    nodeName: parts.nodeName,
    serviceAccountName: accountName(spec),
    allocatable: parts.allocatable,
    ...(hostIp === undefined ? {} : { hostIp }),
    ...(address === undefined ? {} : { podIp: address }),
  };
  const mappedRoot = spec.hostUsers === false ? (parts.mappedRoot() ?? 0) : 0;
  return { spec, facts, config: parts.configOf(record, template), mappedRoot };
}

/** Throws ActionFailed. */
export async function ensureVolumes({ volumes, monotonicNow }: PrepareParts, pod: VolumePod): Promise<void> {
  try {
    await volumes.ensure(pod);
  } catch (error) {
    if (!(error instanceof VolumeFailure)) throw error;
    const { message, forConfig, untold } = error;
    const reason = untold ? 'ContainerCreating' : 'FailedMount';
    const trouble = { reason, message, failedAt: monotonicNow() };
    throw new ActionFailed(
      forConfig ? { ...trouble, kind: 'config', config: pod.config.state } : { ...trouble, kind: 'create' },
      error,
    );
  }
}

/** `check`: it is not made yet, may lack the pod's address, and gets no sources. Throws ActionFailed. */
export async function prepareContainer(
  parts: PrepareParts,
  pod: VolumePod,
  container: Container,
  check = false,
): Promise<PreparedContainer> {
  const { facts, config, spec } = pod;
  if (!check && wantsPodAddress(container) && facts.podIp === undefined)
    throw new RuntimeError('failed', "the pod's address is not known yet");
  const api = parts.api();
  const environment = composeEnvironment({
    container,
    ...(api ? { api } : {}),
    containers: allContainers(spec),
    namespace: facts.namespace,
    pod: facts,
    config: config.lookup,
    decode: (base64) => Buffer.from(base64, 'base64').toString('utf8'),
  });
  if (isProblem(environment)) {
    // What the plane has not told yet is under way: no error, unlike what is not there.
    const reason = environment.untold ? 'ContainerCreating' : 'CreateContainerConfigError';
    throw refused(parts, 'config', environment.message, config.state, reason);
  }
  return { environment, sources: await sourcesOf(parts, pod, container, environment, check) };
}

const refused = (
  { monotonicNow }: PrepareParts,
  kind: 'config' | 'create',
  message: string,
  config: string,
  reason = 'CreateContainerConfigError',
): ActionFailed =>
  new ActionFailed({
    kind,
    reason,
    message,
    failedAt: monotonicNow(),
    ...(kind === 'config' ? { config } : {}),
  });

async function sourcesOf(
  parts: PrepareParts,
  pod: VolumePod,
  container: Container,
  environment: Environment,
  check: boolean,
): Promise<readonly string[]> {
  const sources: string[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volume = pod.spec.volumes?.find(({ name }) => name === mount.name);
    const subPath = mount.subPathExpr ? expandSubPath(mount.subPathExpr, environment) : (mount.subPath ?? '');
    if (typeof subPath === 'object') throw refused(parts, 'config', subPath.message, pod.config.state);
    if (!volume) throw refused(parts, 'create', `volume ${mount.name} is not in the pod`, '');
    // What containers before it may write to is bound when it is made: the path may be theirs to make.
    if (check && !isConfigVolume(volume)) continue;
    try {
      sources.push(await parts.volumes.sourceOf(pod, volume, subPath, container.name, index));
    } catch (error) {
      const what = `failed to prepare subPath for volumeMount ${JSON.stringify(mount.name)} of container ${JSON.stringify(container.name)}`;
      // Of other volumes it may come by itself.
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT' && isConfigVolume(volume);
      const why = missing ? `there is no ${subPath} in the volume` : (error as Error).message;
      throw refused(parts, missing ? 'config' : 'create', `${what}: ${why}`, pod.config.state);
    }
  }
  return sources;
}

/** Whether a mount of it is a bind that the agent makes: gone after a reboot, unlike the container. */
export const hasBoundPaths = (spec: PodSpec, container: Container): boolean =>
  (container.volumeMounts ?? []).some(({ subPath, subPathExpr }) => subPath || subPathExpr) &&
  (spec.volumes ?? []).length > 0;
