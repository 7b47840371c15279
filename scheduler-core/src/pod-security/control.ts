// One control of the Pod Security Standards, and what controls have in common.
import type { Container } from '../schema/container.ts';
import type { PodSpec, PodTemplateSpec } from '../schema/pod.ts';

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export interface Control {
  /** The minor version of Kubernetes from which on it is in the standard. */
  readonly since: number;
  /** A control of the laxer level that this one covers. */
  readonly replaces?: Control;
  /** `minor`: of the standard's version, for what changed later. */
  readonly check: (template: PodTemplateSpec, minor: number) => Violation | undefined;
}

export const containersOf = ({
  initContainers = [],
  containers = [],
  ephemeralContainers = [],
}: PodSpec): readonly Container[] => [
  ...initContainers,
  ...containers,
  ...(ephemeralContainers as Container[]),
];

export const specOf = ({ spec }: PodTemplateSpec): PodSpec => spec ?? { containers: [] };

export const quoted = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(', ');
export const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
export const plural = (one: string, many: string, count: number): string => (count === 1 ? one : many);

export const namesOf = (containers: readonly Container[]): string =>
  `${plural('container', 'containers', containers.length)} ${quoted(containers.map(({ name }) => name))}`;

/** "pod and containers "a", "b""; undefined for nobody. */
export function settersOf(pod: boolean, containers: readonly Container[]): string | undefined {
  const setters = [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [namesOf(containers)] : [])];
  return setters.length === 0 ? undefined : setters.join(' and ');
}

export const isWindows = ({ os }: PodSpec): boolean => os?.name === 'windows';
/** Root in a pod with users of its own is nobody outside. */
export const hasOwnUsers = ({ hostUsers }: PodSpec): boolean => hostUsers === false;
