// The environment of one container (rules 106 and 107): where the API is, then envFrom, then env in order, each seeing
// what is before it.
import type { Container, EnvVar } from '../schema/container.ts';
import {
  type ConfigKind,
  type ConfigLookup,
  type ConfigProblem,
  type Content,
  contentsOf,
  findConfig,
  isProblem,
} from './config-data.ts';
import { expandVariables } from './expand-variables.ts';
import { fieldValue, type PodFacts, resourceValue } from './field-ref.ts';

export interface EnvironmentInput {
  readonly container: Container;
  /** Of the pod, for resourceFieldRef. */
  readonly containers: readonly Container[];
  readonly namespace: string;
  readonly pod: PodFacts;
  readonly config: ConfigLookup;
  /** Where pods find the API; absent while it is not known. */
  readonly api?: ApiEndpoint;
  /** The text that base64 stands for. */
  readonly decode: (base64: string) => string;
}

export interface ApiEndpoint {
  readonly host: string;
  readonly port: number;
}

export type Environment = ReadonlyMap<string, string>;

export function composeEnvironment(input: EnvironmentInput): Environment | ConfigProblem {
  const values = new Map<string, string>(input.api ? apiVariables(input.api) : []);
  for (const source of input.container.envFrom ?? []) {
    const problem = addAll(input, source, values);
    if (problem) return problem;
  }
  for (const variable of input.container.env ?? []) {
    const value = variableValue(input, variable, values);
    if (typeof value === 'object') return value;
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
}

/** Of those that Kubernetes sets for its own service: what its clients read. The others tell of a service address. */
const apiVariables = ({ host, port }: ApiEndpoint): [string, string][] => [
  ['KUBERNETES_SERVICE_HOST', host],
  ['KUBERNETES_SERVICE_PORT', String(port)],
  ['KUBERNETES_SERVICE_PORT_HTTPS', String(port)],
];

type EnvFrom = NonNullable<Container['envFrom']>[number];

/** Later sources win over earlier ones. Bytes that are no text (binaryData) are left out. */
function addAll(
  { config, decode }: EnvironmentInput,
  { prefix = '', configMapRef, secretRef }: EnvFrom,
  values: Map<string, string>,
): ConfigProblem | undefined {
  const kind: ConfigKind = configMapRef ? 'ConfigMap' : 'Secret';
  const { name = '', optional } = configMapRef ?? secretRef ?? {};
  const found = findConfig(config, kind, name, optional);
  if (!found) return undefined;
  if (isProblem(found)) return found;
  for (const [key, content] of contentsOf(kind, { data: found.data ?? {} }))
    values.set(prefix + key, textOf(content, decode));
  return undefined;
}

const textOf = (content: Content, decode: (base64: string) => string): string =>
  'text' in content ? content.text : decode(content.base64);

/** Undefined: the variable is left out. */
function variableValue(
  input: EnvironmentInput,
  { value = '', valueFrom }: EnvVar,
  before: Environment,
): string | ConfigProblem | undefined {
  if (!valueFrom) return expandVariables(value, before);
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef) return fieldValue(fieldRef.fieldPath, input.pod);
  if (resourceFieldRef) {
    const { containerName } = resourceFieldRef;
    const named = containerName
      ? input.containers.find(({ name }) => name === containerName)
      : input.container;
    return named
      ? resourceValue(resourceFieldRef, named, input.pod.allocatable)
      : { message: `unable to find container ${JSON.stringify(containerName)}` };
  }
  if (configMapKeyRef) return entryOf(input, 'ConfigMap', configMapKeyRef);
  return secretKeyRef ? entryOf(input, 'Secret', secretKeyRef) : '';
}

function entryOf(
  { config, decode, namespace }: EnvironmentInput,
  kind: ConfigKind,
  { name = '', key, optional }: { readonly name?: string; readonly key: string; readonly optional?: boolean },
): string | ConfigProblem | undefined {
  const found = findConfig(config, kind, name, optional);
  if (!found || isProblem(found)) return found;
  const content = contentsOf(kind, { data: found.data ?? {} }).get(key);
  if (content) return textOf(content, decode);
  return optional ? undefined : { message: `couldn't find key ${key} in ${kind} ${namespace}/${name}` };
}
