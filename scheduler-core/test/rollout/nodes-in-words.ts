// Nodes of a rollout, said in words.
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';

/** "a old" = up on revision old; "granted:new" = on its way there; "beside:new" = both run. Several words add up. */
export const fleet = (text: string): RolloutNode[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => {
      const [name = '', ...words] = part.split(' ');
      let node: RolloutNode = { name, decision: 'Run', connected: true, lost: false };
      for (const word of words) node = { ...node, ...meaning(word, node) };
      return node;
    });

function meaning(word: string, node: RolloutNode): Partial<RolloutNode> {
  const pod = node.pod ?? { revision: '', available: false, deleted: false };
  const [key, value = ''] = word.split(':');
  if (key === 'granted') return { granted: value };
  if (key === 'beside') return { granted: value, beside: { revision: value } };
  if (key === 'zone') return { labels: { zone: value } };
  if (word === 'down') return { pod: { ...pod, available: false } };
  if (word === 'deleted') return { pod: { ...pod, deleted: true } };
  if (word === 'unknown') return { pod: { ...pod, unknown: true } };
  if (word === 'off') return { connected: false };
  if (word === 'lost') return { connected: false, lost: true };
  if (word === 'behind') return { behind: true };
  if (word === 'surging') return { surging: true };
  if (word === 'Keep' || word === 'Leave') return { decision: word };
  return { pod: { revision: word, available: true, deleted: false }, granted: node.granted ?? word };
}

/** Who is granted something, in order. */
export const grantedIn = ({ grants }: { readonly grants: readonly { readonly node: string }[] }): string =>
  grants.map(({ node }) => node).join(' ');
