// Which container of a pod a request means, as Kubernetes says it.
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import type { KubeObject } from '../kinds/kind.ts';
import { badRequest } from './api-error.ts';

export interface ContainerAsked {
  readonly nodeName: string;
  readonly podUid: string;
  readonly container: string;
}

export function containerAsked(object: KubeObject, query: URLSearchParams): ContainerAsked {
  const { metadata } = object;
  const { spec } = object as unknown as Pod;
  const names = (spec?.containers ?? []).map(({ name }) => name);
  const initNames = (spec?.initContainers ?? []).map(({ name }) => name);
  const asked = query.get('container') ?? '';
  if (asked !== '' && !names.includes(asked) && !initNames.includes(asked))
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  if (asked === '' && names.length > 1) {
    const init = initNames.length > 0 ? ` or one of the init containers: [${initNames.join(' ')}]` : '';
    throw badRequest(
      `a container name must be specified for pod ${metadata.name}, choose one of: [${names.join(' ')}]${init}`,
    );
  }
  return {
    nodeName: spec?.nodeName ?? '',
    podUid: metadata.uid ?? '',
    container: asked || (names[0] ?? ''),
  };
}
