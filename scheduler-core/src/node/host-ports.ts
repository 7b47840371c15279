// Ports of the node that a pod listens on, as far as its template says. On the node's own network these are also the
// ports at which it is asked how it is: where another pod listens, that one would answer in its place.
import type { Container, Probe } from '../schema/container.ts';
import type { PodTemplateSpec } from '../schema/pod.ts';

/** As "TCP/9100". */
export function hostPorts({ spec }: PodTemplateSpec): ReadonlySet<string> {
  const found = new Set<string>();
  for (const container of spec?.containers ?? []) {
    for (const { protocol = 'TCP', hostPort, containerPort } of container.ports ?? []) {
      const port = hostPort ?? (spec?.hostNetwork ? containerPort : undefined);
      if (port !== undefined) found.add(`${protocol}/${port}`);
    }
    if (spec?.hostNetwork) for (const port of probedPorts(container)) found.add(`TCP/${port}`);
  }
  return found;
}

/** Named ones are among the container's own. */
function probedPorts({ startupProbe, livenessProbe, readinessProbe }: Container): number[] {
  const portOf = (probe: Probe | undefined) => (probe?.httpGet ?? probe?.tcpSocket)?.port;
  return [startupProbe, livenessProbe, readinessProbe]
    .map(portOf)
    .map(Number)
    .filter((port) => Number.isInteger(port) && port > 0);
}
