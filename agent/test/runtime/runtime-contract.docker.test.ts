// Real Docker keeps the contract that the fake engine keeps.
import { createDockerRuntime } from '../../src/runtime/docker-runtime.ts';
import { docker, openProxy, removeContainersOf } from '../docker-engine.ts';
import { uniqueOwner } from '../pods.ts';
import { describeRuntimeContract } from '../runtime-contract.ts';

describeRuntimeContract('Docker', async () => {
  const proxy = await openProxy();
  const owners = [uniqueOwner(), uniqueOwner()] as const;
  const [runtime, neighbour] = [
    createDockerRuntime({ socketPath: proxy.socketPath, owner: owners[0] }),
    createDockerRuntime({ socketPath: proxy.socketPath, owner: owners[1] }),
  ];
  return {
    runtime,
    neighbour,
    end: (id) => docker.getContainer(id).kill({ signal: 'SIGKILL' }),
    begin: (id) => docker.getContainer(id).start(),
    vanish: (id) => docker.getContainer(id).remove({ force: true }),
    cutEvents: proxy.cutStreams,
    close: async () => {
      await removeContainersOf(...owners);
      await proxy.close();
    },
  };
});
