// What the API says it serves, in both forms that clients ask for: plain and aggregated.
import { apiVersionOf, type Kind, versionOf } from '../kinds/kind.ts';

/** A resource as discovery sees it; virtual ones have no stored kind behind them. */
export type DiscoveredKind = Pick<
  Kind,
  | 'group'
  | 'kind'
  | 'plural'
  | 'singular'
  | 'shortNames'
  | 'categories'
  | 'namespaced'
  | 'verbs'
  | 'subresources'
>;

export function apiVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

const namedGroups = (kinds: readonly DiscoveredKind[]): string[] =>
  [...new Set(kinds.map(({ group }) => group))].filter((group) => group !== '').sort();

export function apiGroupList(kinds: readonly DiscoveredKind[]): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: namedGroups(kinds).map(apiGroup) };
}

export function apiGroup(name: string): object {
  const version = { groupVersion: apiVersionOf({ group: name }), version: versionOf(name) };
  return { kind: 'APIGroup', apiVersion: 'v1', name, versions: [version], preferredVersion: version };
}

export function apiResourceList(kinds: readonly DiscoveredKind[], group: string): object {
  const resources = kinds.filter((kind) => kind.group === group).flatMap(plainResources);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group }), resources };
}

function plainResources(kind: DiscoveredKind): object[] {
  const { plural, singular, namespaced, verbs, shortNames, categories, subresources = [] } = kind;
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind: kind.kind,
      verbs,
      ...(shortNames ? { shortNames } : {}),
      ...(categories ? { categories } : {}),
    },
    ...subresources.map((subresource) => ({
      name: `${plural}/${subresource.name}`,
      singularName: '',
      namespaced,
      ...(subresource.group ? { group: subresource.group, version: 'v1' } : {}),
      kind: subresource.kind,
      verbs: subresource.verbs,
    })),
  ];
}

const AGGREGATED = /application\/json;g=apidiscovery\.k8s\.io;v=(v2|v2beta1);as=APIGroupDiscoveryList/;

/** The version of aggregated discovery that the client takes, or undefined for the plain form. */
export const aggregatedVersion = (accept: string | undefined): 'v2' | 'v2beta1' | undefined =>
  AGGREGATED.exec(accept?.replaceAll(' ', '') ?? '')?.[1] as 'v2' | 'v2beta1' | undefined;

export const aggregatedContentType = (version: string): string =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

/** `core` lists the group without a name (/api), otherwise the named ones (/apis). */
export function aggregatedDiscovery(
  kinds: readonly DiscoveredKind[],
  version: string,
  core: boolean,
): object {
  const groups = core ? [''] : namedGroups(kinds);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
      versions: [
        {
          version: versionOf(group),
          freshness: 'Current',
          resources: kinds.filter((kind) => kind.group === group).map(aggregatedResource),
        },
      ],
    })),
  };
}

function aggregatedResource(kind: DiscoveredKind): object {
  const { group, plural, singular, namespaced, verbs, shortNames, categories, subresources } = kind;
  return {
    resource: plural,
    responseKind: { group, version: versionOf(group), kind: kind.kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames ? { shortNames } : {}),
    ...(categories ? { categories } : {}),
    ...(subresources
      ? {
          subresources: subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind: { group: subresource.group ?? group, version: 'v1', kind: subresource.kind },
            verbs: subresource.verbs,
          })),
        }
      : {}),
  };
}
