// A real plane with nodes that behave, and `fleetset plan` to be asked of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminKubeconfig } from '@fleetset/plane/identity/admin-kubeconfig';
import { expect } from 'vitest';
import type { Json } from '../../../plane/test/support/api-client.ts';
import { createHollowFleet, type HollowFleet } from '../../../plane/test/support/hollow-fleet.ts';
import type { HollowNodeOptions } from '../../../plane/test/support/hollow-node.ts';
import { NODES } from '../../../plane/test/support/manifests.ts';
import { tempDir } from '../../../plane/test/support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../../../plane/test/support/test-plane.ts';
import { until } from '../../../plane/test/support/until.ts';
import { planCommand } from '../../src/commands/plan.ts';

export interface PlanBench {
  readonly plane: TestPlane;
  readonly fleet: HollowFleet;
  /** Nodes in the order in which they were granted what they had not before. */
  readonly grants: string[];
  /** What it prints, with nodes named a to e, and without the names of revisions. */
  readonly plan: (manifests: readonly Json[] | string, ...more: string[]) => Promise<string>;
  readonly named: (text: string) => string;
  readonly stop: () => Promise<void>;
}

export async function startPlanBench(nodes: readonly HollowNodeOptions[]): Promise<PlanBench> {
  const folder = tempDir('plan');
  const kubeconfig = join(folder, 'kubeconfig');
  const grants: string[] = [];
  const plane = await startTestPlane();
  const fleet = createHollowFleet(plane);
  for (const options of nodes)
    await fleet.add(1, { ...options, onGrant: (node: string) => void grants.push(node) });
  await until('every node has reported', async () => {
    const { items } = await plane.api.ok('GET', NODES);
    return items.length === nodes.length && items.every(isReady);
  });
  writeFileSync(kubeconfig, await adminKubeconfig(plane.dataDir, `https://127.0.0.1:${plane.apiPort}`));

  const named = (text: string): string =>
    fleet.nodes
      .reduce((all, { name }, index) => all.replaceAll(name, 'abcde'[index] ?? ''), text)
      .replaceAll(/revision [a-z0-9]{8,}( to [a-z0-9]{8,})?/g, (_, to) =>
        to ? 'revision OLD to NEW' : 'revision ONE',
      )
      .trimEnd();

  return {
    plane,
    fleet,
    grants,
    named,
    plan: async (manifests, ...more) => {
      const file = join(folder, 'manifest.yaml');
      const text =
        typeof manifests === 'string'
          ? manifests
          : manifests.map((one) => JSON.stringify(one)).join('\n---\n');
      writeFileSync(file, text);
      const lines: string[] = [];
      const code = await planCommand.run({
        args: ['-f', file, '--kubeconfig', kubeconfig, ...more],
        environment: {},
        version: 'test',
        print: (line) => lines.push(line),
      });
      expect(code).toBe(0);
      return named(lines.join('\n'));
    },
    stop: async () => {
      fleet.stop();
      await plane.stop();
    },
  };
}

export const isReady = ({ status }: Json): boolean =>
  status?.conditions?.some(({ type, status }: Json) => type === 'Ready' && status === 'True');

/** The nodes of the numbered lines, in their order. */
export const orderIn = (text: string): string[] =>
  text.split('\n').flatMap((line) => /^ +\d+\. (\w)/.exec(line)?.[1] ?? []);
