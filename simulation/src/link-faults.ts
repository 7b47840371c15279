// What goes wrong between an agent and the plane.
import { type Acts, someMachine, whileFor } from './fleet.ts';

export const LINK_FAULTS: Acts = {
  'cut a link': (fleet) => {
    const { link, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'its link is cut');
    link.setCut(true);
    whileFor(fleet, fleet.dice.pick([300, 5000, 20_000, 45_000, 100_000]), () => {
      fleet.world.trace.note(name, 'its link is whole');
      link.setCut(false);
    });
  },
  'break a stream': (fleet) => {
    const { link, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'its stream breaks');
    link.breakStreams();
  },
  'say things twice': (fleet) => {
    const { link, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'messages to and from it arrive twice');
    link.setDoubling(true);
    whileFor(fleet, fleet.dice.pick([3000, 20_000]), () => link.setDoubling(false));
  },
  'tell something old': (fleet) => {
    const { link, name } = someMachine(fleet);
    const old = fleet.told.get(name) ?? [];
    if (old.length < 3) return;
    fleet.world.trace.note(name, 'is told something old');
    link.sayToAgent(fleet.dice.pick(old.slice(0, -1)));
  },
};
