// Small manifests for tests: one that says the least, and copies of it with single fields changed.
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { daemonSet as daemonSetSchema } from '@fleetset/scheduler-core/schema/daemon-set';
import { defaultDaemonSet } from '@fleetset/scheduler-core/schema/daemon-set-defaults';
import { decode } from '@fleetset/scheduler-core/schema/decode';

export const MINIMAL = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'web:1' }] },
    },
  },
};

/** Path and value; undefined removes the field. "pod" and "main" stand for the pod spec and its first container. */
export type Edit = readonly [path: string, value: unknown];

const SHORT: { readonly [word: string]: string } = {
  pod: 'spec.template.spec',
  main: 'spec.template.spec.containers.0',
};

export const fullPath = (path: string): string => {
  const [first = '', ...rest] = path.split('.');
  return [SHORT[first] ?? first, ...rest].join('.');
};

export function edited(base: unknown, edits: readonly Edit[]): unknown {
  const result = structuredClone(base) as { [key: string]: unknown };
  for (const [path, value] of edits) {
    const keys = fullPath(path).split('.');
    const last = keys.pop() ?? '';
    let at = result;
    for (const key of keys) {
      at[key] ??= {};
      at = at[key] as { [key: string]: unknown };
    }
    if (value === undefined) delete at[last];
    else at[last] = value;
  }
  return result;
}

/** As the API reads it: decoded, which must succeed, and defaulted. */
export function readDaemonSet(json: unknown): DaemonSet {
  const { value, errors, unknown } = decode(daemonSetSchema, json);
  if (errors.length + unknown.length > 0) throw new Error([...errors, ...unknown].join('; '));
  return defaultDaemonSet(value as DaemonSet);
}
