// Pods whose ConfigMaps and Secrets stay as they were when their revision was made: which snapshot a template names.
import type { PodTemplateSpec } from '../schema/pod.ts';

/** On the pod template of a revision: the hash of a snapshot, which the plane keeps as long as a revision names it. */
export const CONFIG_ANNOTATION = 'fleetset.dev/config';

/** Undefined: its pods follow their ConfigMaps and Secrets as they are. */
export function configPin({ metadata }: PodTemplateSpec): string | undefined {
  const value = metadata?.annotations?.[CONFIG_ANNOTATION];
  return value !== undefined && /^[0-9a-f]{64}$/.test(value) ? value : undefined;
}

export function withoutPin(template: PodTemplateSpec): PodTemplateSpec {
  if (configPin(template) === undefined) return template;
  const { annotations = {}, ...metadata } = template.metadata ?? {};
  const { [CONFIG_ANNOTATION]: _pin, ...rest } = annotations;
  const left = { ...metadata, ...(Object.keys(rest).length > 0 ? { annotations: rest } : {}) };
  const { metadata: _before, ...others } = template;
  return { ...(Object.keys(left).length > 0 ? { metadata: left } : {}), ...others };
}

export const withPin = (template: PodTemplateSpec, pin: string): PodTemplateSpec => ({
  ...template,
  metadata: {
    ...template.metadata,
    annotations: { ...template.metadata?.annotations, [CONFIG_ANNOTATION]: pin },
  },
});
