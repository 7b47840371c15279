// Every control of the Pod Security Standards: what it forbids, in which words, and from which version on.
import { describe, expect, it } from 'vitest';
import type { SecurityLevel } from '../../src/pod-security/policy.ts';
import { formatReasons, formatViolations, violationsOf } from '../../src/pod-security/violations.ts';
import type { PodTemplateSpec } from '../../src/schema/pod.ts';

// biome-ignore lint/suspicious/noExplicitAny: templates are written as people write them
type Loose = any;

/** Nothing to be said against it under "restricted". */
const GOOD_CONTEXT = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
const good = (container: Loose = {}, spec: Loose = {}, metadata: Loose = {}): PodTemplateSpec => ({
  metadata,
  spec: {
    ...spec,
    containers: [
      { name: 'main', ...container, securityContext: { ...GOOD_CONTEXT, ...container.securityContext } },
    ],
  },
});
const context = (securityContext: Loose, spec: Loose = {}) => good({ securityContext }, spec);

const said = (template: PodTemplateSpec, level: SecurityLevel, version: number | 'latest' = 'latest') =>
  formatViolations(violationsOf(template, { level, version }));

describe('baseline forbids', () => {
  it.each<[string, PodTemplateSpec, string]>([
    [
      'namespaces of the host',
      good({}, { hostNetwork: true, hostPID: true, hostIPC: true }),
      'host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
    ],
    [
      'paths of the host',
      good(
        {},
        {
          volumes: [
            { name: 'a', hostPath: { path: '/' } },
            { name: 'b', hostPath: { path: '/b' } },
          ],
        },
      ),
      'hostPath volumes (volumes "a", "b")',
    ],
    [
      'ports of the host',
      good({
        ports: [
          { containerPort: 1, hostPort: 80 },
          { containerPort: 2, hostPort: 443 },
          { containerPort: 3 },
        ],
      }),
      'hostPort (container "main" uses hostPorts 443, 80)',
    ],
    [
      'hosts in probes',
      good({
        livenessProbe: { httpGet: { port: 1, host: '192.0.2.1' } },
        lifecycle: { preStop: { tcpSocket: { port: 1, host: 'other' } } },
      }),
      'probe or lifecycle host (container "main" uses probe or lifecycle hosts "192.0.2.1", "other")',
    ],
    [
      'privileged containers',
      context({ privileged: true }),
      'privileged (container "main" must not set securityContext.privileged=true)',
    ],
    [
      'capabilities beyond the usual',
      context({ capabilities: { add: ['SYS_ADMIN', 'NET_RAW', 'CHOWN'] } }),
      'non-default capabilities (container "main" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      'AppArmor switched off',
      context({ appArmorProfile: { type: 'Unconfined' } }),
      'forbidden AppArmor profile (container "main" must not set AppArmor profile type to "Unconfined")',
    ],
    [
      'AppArmor switched off for the pod and by annotation',
      good(
        {},
        { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
        { annotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' } },
      ),
      'forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/main="unconfined"")',
    ],
    [
      'SELinux options',
      context(
        { seLinuxOptions: { type: 'spc_t', user: 'u', role: 'r' } },
        { securityContext: { seLinuxOptions: { type: 'other_t' } } },
      ),
      'seLinuxOptions (pod and container "main" set forbidden securityContext.seLinuxOptions: types "other_t", "spc_t"; user may not be set; role may not be set)',
    ],
    [
      '/proc without masks',
      context({ procMount: 'Unmasked' }),
      'procMount (container "main" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      'seccomp switched off',
      context({ seccompProfile: { type: 'Unconfined' } }),
      'seccompProfile (container "main" must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      'sysctls that are not safe',
      good(
        {},
        {
          securityContext: {
            sysctls: [
              { name: 'kernel.msgmax', value: '1' },
              { name: 'net.ipv4.tcp_rmem', value: '1' },
            ],
          },
        },
      ),
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      'processes of a Windows host',
      context({ windowsOptions: { hostProcess: true } }),
      'hostProcess (container "main" must not set securityContext.windowsOptions.hostProcess=true)',
    ],
  ])('%s', (_, template, words) => {
    expect(said(template, 'baseline')).toBe(words);
    expect(said(template, 'privileged')).toBe('');
    expect(said(template, 'restricted')).not.toBe('');
  });

  it('the same of init and ephemeral containers, which it names in the order they run', () => {
    const bad = (name: string) => ({ name, securityContext: { privileged: true } });
    const template = {
      spec: {
        containers: [bad('main')],
        initContainers: [bad('first')],
        ephemeralContainers: [bad('debug')],
      },
    };
    expect(said(template, 'baseline')).toBe(
      'privileged (containers "first", "main", "debug" must not set securityContext.privileged=true)',
    );
  });

  it('nothing of a plain pod', () => {
    expect(said({ spec: { containers: [{ name: 'main' }] } }, 'baseline')).toBe('');
  });
});

describe('restricted forbids', () => {
  it('what a plain pod leaves open, in the words that kubectl users know', () => {
    expect(said({ spec: { containers: [{ name: 'main' }] } }, 'restricted')).toBe(
      'allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it.each<[string, PodTemplateSpec, string]>([
    ['nothing of a pod that says all of it', good(), ''],
    [
      'nothing of one that says it for the pod',
      {
        spec: {
          securityContext: {
            runAsNonRoot: true,
            seccompProfile: { type: 'Localhost', localhostProfile: 'a' },
          },
          containers: [
            {
              name: 'main',
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
              },
            },
          ],
        },
      },
      '',
    ],
    [
      'capabilities',
      context({ capabilities: { drop: ['CHOWN'], add: ['KILL'] } }),
      'unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]; container "main" must not include "KILL" in securityContext.capabilities.add)',
    ],
    [
      'volumes of other types',
      good(
        {},
        {
          volumes: [
            { name: 'a', hostPath: { path: '/' } },
            { name: 'b', nfs: { server: 's', path: '/' } },
            { name: 'c', emptyDir: {} },
            { name: 'd' },
          ],
        },
      ),
      'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")',
    ],
    [
      'root by name',
      context({ runAsNonRoot: false }, { securityContext: { runAsNonRoot: false } }),
      'runAsNonRoot != true (pod and container "main" must not set securityContext.runAsNonRoot=false)',
    ],
    ['root by number', context({ runAsUser: 0 }), 'runAsUser=0 (container "main" must not set runAsUser=0)'],
    ['nothing of a user', context({ runAsUser: 1000 }), ''],
  ])('%s', (_, template, words) => {
    expect(said(template, 'restricted')).toBe(words);
  });
});

describe('a version', () => {
  it.each<[string, PodTemplateSpec, SecurityLevel, number, boolean]>([
    [
      'has hosts of probes from 1.34 on',
      good({ livenessProbe: { httpGet: { port: 1, host: 'a' } } }),
      'baseline',
      34,
      true,
    ],
    [
      'has SELinux engines allowed from 1.31 on',
      context({ seLinuxOptions: { type: 'container_engine_t' } }),
      'baseline',
      31,
      false,
    ],
    [
      'has reserved ports allowed from 1.27 on',
      good({}, { securityContext: { sysctls: [{ name: 'net.ipv4.ip_local_reserved_ports', value: '1' }] } }),
      'baseline',
      27,
      false,
    ],
    [
      'has keep-alive times allowed from 1.29 on',
      good({}, { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_keepalive_time', value: '1' }] } }),
      'baseline',
      29,
      false,
    ],
    [
      'has buffers allowed from 1.32 on',
      good({}, { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_wmem', value: '1' }] } }),
      'baseline',
      32,
      false,
    ],
    [
      'has slow start allowed from 1.37 on',
      good({}, { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_notsent_lowat', value: '1' }] } }),
      'baseline',
      37,
      false,
    ],
    ['has escalation from 1.8 on', context({ allowPrivilegeEscalation: true }), 'restricted', 8, true],
    ['has dropped capabilities from 1.22 on', context({ capabilities: {} }), 'restricted', 22, true],
    ['has the number of root from 1.23 on', context({ runAsUser: 0 }), 'restricted', 23, true],
    ['has seccomp from 1.19 on', context({ seccompProfile: undefined }), 'restricted', 19, true],
    [
      'has root allowed in a pod with users of its own from 1.35 on',
      context({ runAsUser: 0 }, { hostUsers: false }),
      'restricted',
      35,
      false,
    ],
    [
      'has an open /proc allowed there, too',
      context({ procMount: 'Unmasked' }, { hostUsers: false }),
      'baseline',
      35,
      false,
    ],
    [
      'lets Windows pods be from 1.25 on',
      context({ allowPrivilegeEscalation: undefined }, { os: { name: 'windows' } }),
      'restricted',
      25,
      false,
    ],
  ])('%s', (_, template, level, since, forbids) => {
    expect(said(template, level, since) !== '').toBe(forbids);
    expect(said(template, level, since - 1) !== '').toBe(!forbids);
    expect(said(template, level) !== '').toBe(forbids);
  });

  it('before 1.19 looks at seccomp in annotations', () => {
    const template = good(
      {},
      {},
      {
        annotations: {
          'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
          'container.seccomp.security.alpha.kubernetes.io/main': 'localhost/mine',
        },
      },
    );
    expect(said(template, 'baseline', 18)).toBe(
      'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    );
    expect(said(template, 'baseline', 19)).toBe('');
  });

  it('an open /proc stays forbidden under restricted', () => {
    expect(said(context({ procMount: 'Unmasked' }, { hostUsers: false }), 'restricted')).toMatch(
      /^procMount/,
    );
  });
});

it('reasons alone are shorter', () => {
  const found = violationsOf(good({}, { hostPID: true, hostNetwork: true }), {
    level: 'baseline',
    version: 'latest',
  });
  expect(formatReasons(found)).toBe('host namespaces');
});
