// Pods whose ConfigMaps and Secrets stay as they were when their revision was made: which snapshot a template names.
import type { PodTemplateSpec } from '../schema/pod.ts';

/** On a pod template: the hash of a snapshot, which the plane keeps as long as a revision names it. */
export const CONFIG_ANNOTATION = 'fleetset.dev/config';

/** Undefined: its pods follow their ConfigMaps and Secrets as they are. */
export function configPin({ metadata }: PodTemplateSpec): string | undefined {
  const value = metadata?.annotations?.[CONFIG_ANNOTATION];
  return value !== undefined && /^[0-9a-f]{64}$/.test(value) ? value : undefined;
}
