// What a pod is called and how it resolves names: hostname, subdomain, hostAliases, dnsPolicy, dnsConfig.
import type { PodSpec } from '../schema/pod.ts';
import { checked, type FieldError, invalid, notSupported, required } from './field-error.ts';
import { dnsLabelProblem, dnsSubdomainProblem, ipAddressProblem } from './names.ts';

const POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const MOST_SERVERS = 3;
const MOST_SEARCHES = 32;
const MOST_SEARCH_CHARACTERS = 2048;

export const validatePodNames = (at: string, spec: PodSpec): FieldError[] => [
  ...(spec.hostname ? checked(`${at}.hostname`, spec.hostname, dnsLabelProblem) : []),
  ...(spec.subdomain ? checked(`${at}.subdomain`, spec.subdomain, dnsLabelProblem) : []),
  ...(spec.hostAliases ?? []).flatMap(({ ip, hostnames = [] }, index) => [
    ...checked(`${at}.hostAliases[${index}].ip`, ip, ipAddressProblem),
    ...hostnames.flatMap((name) =>
      checked(`${at}.hostAliases[${index}].hostnames`, name, dnsSubdomainProblem),
    ),
  ]),
  ...validatePolicy(at, spec),
  ...validateDnsConfig(`${at}.dnsConfig`, spec.dnsConfig),
];

function validatePolicy(at: string, spec: PodSpec): FieldError[] {
  if (!POLICIES.includes(spec.dnsPolicy ?? 'ClusterFirst'))
    return [notSupported(`${at}.dnsPolicy`, spec.dnsPolicy, POLICIES)];
  return spec.dnsPolicy === 'None' && !spec.dnsConfig?.nameservers?.length
    ? [
        required(
          `${at}.dnsConfig.nameservers`,
          'must provide at least one DNS nameserver when `dnsPolicy` is None',
        ),
      ]
    : [];
}

function validateDnsConfig(at: string, config: PodSpec['dnsConfig']): FieldError[] {
  const { nameservers = [], searches = [], options = [] } = config ?? {};
  return [
    ...(nameservers.length > MOST_SERVERS
      ? [invalid(`${at}.nameservers`, nameservers, `must not have more than ${MOST_SERVERS} nameservers`)]
      : []),
    ...nameservers.flatMap((ip, index) => checked(`${at}.nameservers[${index}]`, ip, ipAddressProblem)),
    ...(searches.length > MOST_SEARCHES
      ? [invalid(`${at}.searches`, searches, `must not have more than ${MOST_SEARCHES} search paths`)]
      : []),
    ...(searches.join(' ').length > MOST_SEARCH_CHARACTERS
      ? [
          invalid(
            `${at}.searches`,
            searches,
            `must not have more than ${MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list`,
          ),
        ]
      : []),
    ...searches.flatMap((name, index) =>
      name === '.' ? [] : checked(`${at}.searches[${index}]`, name.replace(/\.$/, ''), dnsSubdomainProblem),
    ),
    ...options.flatMap(({ name }, index) =>
      name ? [] : [required(`${at}.options[${index}]`, 'must not be empty')],
    ),
  ];
}
