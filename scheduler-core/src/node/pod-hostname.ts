// What a pod on a network of its own is called inside.
import type { PodSpec } from '../schema/pod.ts';
import type { PodRecord } from './pod-record.ts';

/** Kubernetes' usual one: there is no name service behind it here. */
const CLUSTER_DOMAIN = 'cluster.local';
const LABEL_LIMIT = 63;
/** The kernel's. */
const HOSTNAME_LIMIT = 64;

export interface PodHostname {
  readonly hostname: string;
  readonly domainName?: string;
}

/** The pod cannot have the name that it asks for. */
export class NameTooLong extends Error {}

/** Throws NameTooLong, in kubelet's words. */
export function hostnameOf(
  pod: Pick<PodRecord, 'name' | 'namespace'>,
  { hostname: asked, subdomain, setHostnameAsFQDN }: PodSpec,
): PodHostname {
  const hostname = asked || pod.name.slice(0, LABEL_LIMIT).replace(/[-.]+$/, '');
  if (!subdomain) return { hostname };
  const domainName = `${subdomain}.${pod.namespace}.svc.${CLUSTER_DOMAIN}`;
  if (!setHostnameAsFQDN) return { hostname, domainName };
  const full = `${hostname}.${domainName}`;
  if (full.length > HOSTNAME_LIMIT)
    throw new NameTooLong(
      `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long (${HOSTNAME_LIMIT} characters is the max, ${full.length} characters requested)`,
    );
  return { hostname: full };
}
