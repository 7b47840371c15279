// Whether plane and agents work together now: what is shown may be from before a restart, so something new is asked of
// them that only a plane that is told anew, and agents that looked and planned anew, can bring about and show.
import { eventually } from './eventually.ts';
import { apply, getJson, kubectl, NODES } from './fleet.ts';
import { web } from './manifests.ts';

const NAME = 'witness';
const NAMESPACE = 'default';
const PORT = 8190;

/** A DaemonSet of its own, for every node whatever its taints, comes to run on all of them and goes again. */
export async function seeWitness(): Promise<void> {
  await apply(web({ name: NAME, namespace: NAMESPACE, port: PORT, tolerations: [{ operator: 'Exists' }] }));
  await eventually('the witness runs on every node', async () => {
    const { status } = await getJson<{ status: { numberReady?: number } }>('ds', NAME, '-n', NAMESPACE);
    return status.numberReady === NODES.length;
  });
  await kubectl('delete', 'ds', NAME, '-n', NAMESPACE);
  await eventually('the witness is gone', async () => {
    const { items } = await getJson<{ items: readonly unknown[] }>(
      'pods',
      '-n',
      NAMESPACE,
      '-l',
      `app=${NAME}`,
    );
    return items.length === 0;
  });
}
