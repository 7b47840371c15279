// What the downward API tells a pod of itself: fieldRef and resourceFieldRef, in environments and in volumes.
import { milliUnits, parseQuantity, wholeUnits } from '../quantity.ts';
import type { Container, EnvVar } from '../schema/container.ts';

/** What a node knows of a pod of its own. */
export interface PodFacts {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels: { readonly [key: string]: string };
  readonly annotations: { readonly [key: string]: string };
  readonly nodeName: string;
  readonly serviceAccountName: string;
  readonly hostIp?: string;
  readonly podIp?: string;
  /** Of the node: what a container without a limit may use. */
  readonly allocatable: Allocatable;
}

export interface Allocatable {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

type FieldRefs = NonNullable<EnvVar['valueFrom']>;
export type ResourceFieldRef = NonNullable<FieldRefs['resourceFieldRef']>;

/** metadata.labels['key'] and metadata.annotations['key']. */
export function splitSubscript(
  fieldPath: string,
): { readonly path: string; readonly key: string } | undefined {
  const match = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath);
  return match ? { path: match[1] ?? '', key: match[2] ?? '' } : undefined;
}

const POD_ADDRESS = ['status.podIP', 'status.podIPs'];

/** Its environment holds what is only known when the pod's network is up. */
export const wantsPodAddress = ({ env = [] }: Container): boolean =>
  env.some(({ valueFrom }) => POD_ADDRESS.includes(valueFrom?.fieldRef?.fieldPath ?? ''));

export function fieldValue(fieldPath: string, pod: PodFacts): string {
  const part = splitSubscript(fieldPath);
  if (part) return (part.path === 'metadata.labels' ? pod.labels : pod.annotations)[part.key] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return pod.name;
    case 'metadata.namespace':
      return pod.namespace;
    case 'metadata.uid':
      return pod.uid;
    case 'metadata.labels':
      return formatMap(pod.labels);
    case 'metadata.annotations':
      return formatMap(pod.annotations);
    case 'spec.nodeName':
      return pod.nodeName;
    case 'spec.serviceAccountName':
      return pod.serviceAccountName;
    case 'status.hostIP':
    case 'status.hostIPs':
      return pod.hostIp ?? '';
    case 'status.podIP':
    case 'status.podIPs':
      return pod.podIp ?? '';
    default:
      return '';
  }
}

/** One `key="value"` a line, sorted. */
const formatMap = (map: { readonly [key: string]: string }): string =>
  Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuoted(value)}`)
    .join('\n');

const ESCAPES: { readonly [character: string]: string } = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** As Go writes a text with %q, which readers of these files expect: what cannot be printed by its number. */
const goQuoted = (text: string): string =>
  `"${text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, escaped)}"`;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = (digits: number) => code.toString(16).padStart(digits, '0');
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  if (code < 0x80) return `\\x${hex(2)}`;
  return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}

/** A request or limit in units of the divisor, rounded up. Without a limit it is what the node has. */
export function resourceValue(
  { resource, divisor }: ResourceFieldRef,
  { resources = {} }: Container,
  allocatable: Allocatable,
): string {
  const [side = '', name = ''] = resource.split('.');
  const limit = resources.limits?.[name];
  // Rule 76: what is not requested is requested by its limit. A limit of 0 is none.
  const amount =
    side === 'requests'
      ? (resources.requests?.[name] ?? limit ?? '0')
      : limit !== undefined && nanoOf(limit) > 0n
        ? limit
        : whole(name, allocatable);
  const unit = nanoOf(divisor) || 1_000_000_000n;
  const nano = name === 'cpu' ? roundedMilli(amount) : roundedWhole(amount);
  return String((nano + unit - 1n) / unit);
}

function whole(name: string, { cpus, memoryBytes, diskBytes }: Allocatable): string {
  if (name === 'cpu') return String(cpus);
  return String(name === 'memory' ? memoryBytes : diskBytes);
}

const nanoOf = (quantity = '0'): bigint => parseQuantity(quantity)?.nano ?? 0n;
const roundedMilli = (text: string): bigint => BigInt(milliUnits(parseQuantity(text) ?? ZERO)) * 1_000_000n;
const roundedWhole = (text: string): bigint =>
  BigInt(wholeUnits(parseQuantity(text) ?? ZERO)) * 1_000_000_000n;
const ZERO = { nano: 0n, format: 'decimal' } as const;
