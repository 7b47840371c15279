// What a request asks for, read from its method, path and query. No decisions.
import { versionOf } from '../kinds/kind.ts';
import { badRequest } from './api-error.ts';

export interface RequestPath {
  readonly group: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** /api/v1/... and /apis/GROUP/VERSION/...; undefined when it is no path of resources. */
export function parseResourcePath(pathname: string): RequestPath | undefined {
  const path = parseAnyResourcePath(pathname);
  if (!path) return undefined;
  return path.version === versionOf(path.group) || isOldWhoAmI(path) ? path : undefined;
}

/** `kubectl auth whoami` of 1.27 knows no other version. */
const isOldWhoAmI = ({ group, plural, version }: RequestPath & { readonly version: string }): boolean =>
  group === 'authentication.k8s.io' && plural === 'selfsubjectreviews' && version === 'v1beta1';

const WATCH_PATH = /^(\/+api\/+v1|\/+apis\/+[^/]+\/+[^/]+)\/+watch(\/.*)$/;

/** /api/v1/watch/pods is what clients asked for before there was ?watch=true; with a name, it is a watch of that one. */
export function withoutWatchPath(url: URL): URL {
  const [, root, rest] = WATCH_PATH.exec(url.pathname) ?? [];
  if (root === undefined) return url;
  const current = new URL(url);
  current.pathname = `${root}${rest}`;
  const path = parseAnyResourcePath(current.pathname);
  if (!path || path.subresource) return url;
  current.searchParams.set('watch', 'true');
  if (path.name !== undefined) {
    const selector = current.searchParams.get('fieldSelector');
    const own = `metadata.name=${path.name}`;
    current.searchParams.set('fieldSelector', selector ? `${selector},${own}` : own);
    current.pathname = current.pathname.replace(/\/+[^/]+\/*$/, '');
  }
  return current;
}

/** Also of versions that are not served: what they ask leave for is the same. */
export function parseAnyResourcePath(
  pathname: string,
): (RequestPath & { readonly version: string }) | undefined {
  const [root, ...rest] = decodeParts(pathname) ?? [];
  const [group = '', version = '', ...parts] = root === 'api' ? ['', ...rest] : rest;
  if ((root !== 'api' && root !== 'apis') || version === '') return undefined;
  const path = parseResource(group, parts);
  return path && { ...path, version };
}

function decodeParts(pathname: string): string[] | undefined {
  try {
    return pathname
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function parseResource(group: string, parts: readonly string[]): RequestPath | undefined {
  const [first, second, third, fourth, fifth, ...more] = parts;
  if (!first || more.length > 0) return undefined;
  // /namespaces/NS/PLURAL..., but /namespaces/NS and /namespaces/NS/status are the namespace itself.
  if (first === 'namespaces' && second && third && third !== 'status' && third !== 'finalize')
    return {
      group,
      plural: third,
      namespace: second,
      ...(fourth ? { name: fourth } : {}),
      ...(fifth ? { subresource: fifth } : {}),
    };
  if (fourth) return undefined;
  return {
    group,
    plural: first,
    ...(second ? { name: second } : {}),
    ...(third ? { subresource: third } : {}),
  };
}

/** A query parameter that is an int64; undefined when absent. Anything else is a bad request. */
export function integerParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^-?\d+$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text))
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be an integer`);
  return Number(text);
}

/** The version asked for; 0 is any. */
export function versionParameter(query: URLSearchParams): number {
  const text = query.get('resourceVersion') || '0';
  if (!/^\d+$/.test(text)) throw badRequest(`invalid resource version: ${JSON.stringify(text)}`);
  return Number(text);
}

/** As Kubernetes reads them: there is false and 0, and whatever else is written there means true (Python says True). */
export const flagParameter = (query: URLSearchParams, name: string): boolean => {
  const text = query.get(name);
  return text !== null && !['false', '0'].includes(text.toLowerCase());
};
