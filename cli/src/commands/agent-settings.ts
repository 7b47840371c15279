// An agent's settings, from agent.yaml and flags: for `fleetset agent` and `fleetset up` alike.
import { hostname } from 'node:os';
import type { NodeSettings } from '@fleetset/agent/node-settings';
import type { MaintenanceWindow } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import {
  labelOfTimeZone,
  TIME_ZONE_LABEL,
  timeZoneLabelProblem,
  timeZoneProblem,
} from '@fleetset/scheduler-core/time-zone';
import { checked, type FieldError } from '@fleetset/scheduler-core/validation/field-error';
import { nodeNameProblem } from '@fleetset/scheduler-core/validation/names';
import { validateOwnLabels } from '@fleetset/scheduler-core/validation/own-labels';
import { validateTaints } from '@fleetset/scheduler-core/validation/scheduling';
import { type Config, type Parsed, textFlag, textKey } from '../options.ts';
import { UsageError } from '../usage-error.ts';
import { NODE_KEYS, nodeSettings } from './node-settings.ts';

export const DEFAULT_AGENT_DIR = '/var/lib/fleetset/agent';

export const AGENT_KEYS = [
  'dataDir',
  'nodeName',
  'labels',
  'taints',
  'timeZone',
  'maintenanceWindows',
  'dockerSocket',
  'logLevel',
  ...NODE_KEYS,
];

export const AGENT_FLAGS = {
  config: { type: 'string' },
  'data-dir': { type: 'string' },
  'node-name': { type: 'string' },
  'node-labels': { type: 'string' },
  'register-with-taints': { type: 'string' },
  'docker-socket': { type: 'string' },
  'local-address': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

export interface OwnSettings {
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly Taint[];
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  readonly dockerSocket: string;
  readonly logLevel: string;
  readonly node: NodeSettings;
}

export async function ownSettings(parsed: Parsed, config: Config): Promise<OwnSettings> {
  const given = { ...labelsOfConfig(config.labels), ...parseLabels(textFlag(parsed, 'node-labels') ?? '') };
  const labels = withTimeZone(given, textKey(config, 'timeZone'));
  const taints = [
    ...taintsOfConfig(config.taints),
    ...parseTaints(textFlag(parsed, 'register-with-taints') ?? ''),
  ];
  refuse([...validateOwnLabels('labels', labels), ...validateTaints('taints', taints)]);
  const windows = await windowsOfConfig(config.maintenanceWindows);
  return {
    labels,
    taints,
    ...(windows ? { maintenanceWindows: windows } : {}),
    dockerSocket:
      textFlag(parsed, 'docker-socket') ?? textKey(config, 'dockerSocket') ?? '/var/run/docker.sock',
    logLevel: textFlag(parsed, 'log-level') ?? textKey(config, 'logLevel') ?? 'info',
    node: nodeSettings(config, textFlag(parsed, 'local-address')),
  };
}

/** In the label that operators use for it, too. */
function withTimeZone(
  labels: { readonly [key: string]: string },
  zone: string | undefined,
): { readonly [key: string]: string } {
  const label = labels[TIME_ZONE_LABEL];
  if (zone !== undefined && label !== undefined)
    throw new UsageError(`timeZone: the label ${TIME_ZONE_LABEL} says it too; give one of them`);
  if (label !== undefined) refuse(checked(`labels[${TIME_ZONE_LABEL}]`, label, timeZoneLabelProblem));
  if (zone === undefined) return labels;
  refuse(checked('timeZone', zone, timeZoneProblem));
  return { ...labels, [TIME_ZONE_LABEL]: labelOfTimeZone(zone) };
}

const WINDOW_KEYS = ['schedule', 'duration', 'timeZone'];

/** An empty list is one too: whatever policies say, this node may be changed at any time. */
async function windowsOfConfig(value: unknown): Promise<readonly MaintenanceWindow[] | undefined> {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new UsageError('maintenanceWindows: must be a list');
  const windows = value.map((item: unknown, index): MaintenanceWindow => {
    const at = `maintenanceWindows[${index}]`;
    if (typeof item !== 'object' || item === null || Array.isArray(item))
      throw new UsageError(`${at}: must hold ${WINDOW_KEYS.join(', ')}`);
    for (const [key, text] of Object.entries(item)) {
      if (!WINDOW_KEYS.includes(key))
        throw new UsageError(
          `${at}: unknown key ${JSON.stringify(key)}; known are ${WINDOW_KEYS.join(', ')}`,
        );
      if (typeof text !== 'string') throw new UsageError(`${at}.${key}: must be a text`);
    }
    const { schedule = '', duration = '', timeZone } = item as { [key: string]: string };
    return { schedule, duration, ...(timeZone === undefined ? {} : { timeZone }) };
  });
  // Loaded when it is needed: an agent that says nothing of windows carries no cron along.
  const { validateWindows } = await import('@fleetset/plane/maintenance/validate-windows');
  refuse(validateWindows('maintenanceWindows', windows));
  return windows;
}

export const configuredNodeName = (parsed: Parsed, config: Config): string | undefined =>
  textFlag(parsed, 'node-name') ?? textKey(config, 'nodeName');

/** What the machine is to be called when it joins: as configured, else as its host is. */
export function nodeNameOf(parsed: Parsed, config: Config): string {
  const name = configuredNodeName(parsed, config) ?? hostname().toLowerCase();
  const problem = nodeNameProblem(name);
  if (problem)
    throw new UsageError(`node name ${JSON.stringify(name)}: ${problem}; choose one with --node-name`);
  return name;
}

function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0)
    throw new UsageError(errors.map(({ field, message }) => `${field}: ${message}`).join('\n'));
}

function labelsOfConfig(value: unknown): { readonly [key: string]: string } {
  if (value === undefined || value === null) return {};
  const ok =
    typeof value === 'object' &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === 'string');
  if (!ok) throw new UsageError('labels: must be a map of texts (quote numbers and true/false)');
  return value as { [key: string]: string };
}

function parseLabels(text: string): { readonly [key: string]: string } {
  return Object.fromEntries(
    text
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        const [, key, value] = /^([^=]+)=(.*)$/.exec(part) ?? [];
        if (!key) throw new UsageError(`--node-labels: ${JSON.stringify(part)} is not KEY=VALUE`);
        return [key, value ?? ''];
      }),
  );
}

/** As kubectl writes them, or as Kubernetes' objects. */
function taintsOfConfig(value: unknown): readonly Taint[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UsageError('taints: must be a list');
  return value.map((item): Taint => {
    if (typeof item === 'string') return parseTaint(item);
    const { key, effect, value: text, ...rest } = (item ?? {}) as { [field: string]: unknown };
    const good = typeof key === 'string' && typeof effect === 'string' && Object.keys(rest).length === 0;
    if (!good || (text !== undefined && typeof text !== 'string'))
      throw new UsageError(
        `taints: ${JSON.stringify(item)} is not a taint (KEY=VALUE:EFFECT, or key, value and effect)`,
      );
    return { key, effect, ...(text ? { value: text } : {}) };
  });
}

const parseTaints = (text: string): Taint[] =>
  text
    .split(',')
    .filter((part) => part !== '')
    .map(parseTaint);

function parseTaint(text: string): Taint {
  const [, key, value, effect] = /^([^=:]+)(?:=([^:]*))?:([A-Za-z]+)$/.exec(text) ?? [];
  if (!key || !effect) throw new UsageError(`taint ${JSON.stringify(text)} is not KEY=VALUE:EFFECT`);
  return { key, effect, ...(value ? { value } : {}) };
}
