// DaemonSets for tests, on the busybox image that hack/images makes.

export const BUSYBOX = 'fleetset-test/busybox:1';

export interface WebOptions {
  readonly name?: string;
  readonly namespace: string;
  /** On the node's own network. */
  readonly port: number;
  readonly text?: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly maxUnavailable?: number | string;
  /** Instead of maxUnavailable. */
  readonly maxSurge?: number | string;
  readonly nodeSelector?: { readonly [key: string]: string };
  readonly tolerations?: readonly object[];
  /** More of the container, and of the pod. */
  readonly container?: object;
  readonly pod?: object;
}

/** Answers its text on a port of the node, so that it can be seen from outside whether it is up. */
export function web(options: WebOptions): object {
  const {
    name = 'web',
    namespace,
    port,
    text = 'one',
    image = BUSYBOX,
    maxUnavailable = 1,
    maxSurge,
  } = options;
  const serve = `echo "${text}" > /tmp/index.html && exec httpd -f -p ${port} -h /tmp`;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: { app: name } },
      updateStrategy: {
        type: 'RollingUpdate',
        rollingUpdate: maxSurge === undefined ? { maxUnavailable } : { maxUnavailable: 0, maxSurge },
      },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          hostNetwork: true,
          terminationGracePeriodSeconds: 1,
          ...(options.nodeSelector ? { nodeSelector: options.nodeSelector } : {}),
          ...(options.tolerations ? { tolerations: options.tolerations } : {}),
          containers: [
            {
              name: 'web',
              image,
              command: options.command ?? ['sh', '-c', serve],
              ports: [{ name: 'http', containerPort: port }],
              readinessProbe: { httpGet: { path: '/index.html', port: 'http' }, periodSeconds: 1 },
              ...options.container,
            },
          ],
          ...options.pod,
        },
      },
    },
  };
}
