// How a pod resolves names, where it does not leave that to the engine (dnsPolicy and dnsConfig).
import type { PodSpec } from '../schema/pod.ts';

export interface PodDns {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** As resolvers do: more are not looked at. */
const MOST_SERVERS = 3;
const MOST_SEARCHES = 32;
const NO_HOST: PodDns = { servers: [], searches: [], options: [] };

/**
 * Undefined: as the engine does it. There is no name service of a cluster here, so every policy but None builds on the
 * machine's own resolver, as kubelet's do without one.
 */
export function podDns({ dnsPolicy, dnsConfig }: PodSpec, host: PodDns = NO_HOST): PodDns | undefined {
  if (dnsPolicy !== 'None' && !dnsConfig) return undefined;
  const base = dnsPolicy === 'None' ? NO_HOST : host;
  const given = new Map(
    (dnsConfig?.options ?? []).map(({ name = '', value }) => [name, value ? `${name}:${value}` : name]),
  );
  const kept = base.options.filter((option) => !given.has(option.split(':')[0] ?? ''));
  return {
    servers: unique([...base.servers, ...(dnsConfig?.nameservers ?? [])]).slice(0, MOST_SERVERS),
    searches: unique([...base.searches, ...(dnsConfig?.searches ?? [])]).slice(0, MOST_SEARCHES),
    options: [...kept, ...given.values()],
  };
}

/** What a resolv.conf says. */
export function readResolver(text: string): PodDns {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/),
  );
  const all = (word: string) => lines.filter(([first]) => first === word).map(([, ...rest]) => rest);
  return {
    servers: all('nameserver').flatMap(([server]) => (server ? [server] : [])),
    // The last line counts.
    searches: [...all('domain'), ...all('search')].at(-1) ?? [],
    options: unique(all('options').flat()),
  };
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)];
