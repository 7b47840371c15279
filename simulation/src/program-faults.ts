// Agents, the plane and whole machines die or are stopped, and come back.
import { type Acts, someMachine, whileFor } from './fleet.ts';

export const PROGRAM_FAULTS: Acts = {
  'kill an agent': (fleet) => {
    const machine = someMachine(fleet);
    const after = fleet.dice.chance(0.5) ? 0 : fleet.dice.int(1, 40);
    fleet.world.trace.note(machine.name, `its agent is killed after ${after} effects`);
    machine.killAgent(after);
    whileFor(fleet, fleet.dice.pick([500, 2000, 10_000, 60_000]), machine.startAgent);
  },
  'restart an agent': (fleet) => {
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, 'its agent is stopped');
    machine.stopAgent(machine.startAgent);
  },
  'reboot a machine': (fleet) => {
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, 'loses its power');
    machine.powerOff();
    const { dice } = fleet;
    whileFor(fleet, dice.pick([1000, 8000, 90_000]), () => {
      fleet.world.trace.note(machine.name, 'boots');
      machine.powerOn();
      if (dice.chance(0.2)) machine.moveClock(dice.int(-3_600_000, 3_600_000));
      if (dice.chance(0.2))
        machine.meddle((engine) => {
          for (const { id } of engine.containers()) engine.vanish(id);
        });
      machine.startAgent();
    });
  },
  'kill the plane': (fleet) => {
    const { world, dice } = fleet;
    const after = dice.chance(0.4) ? 0 : dice.int(1, 15);
    world.trace.note('plane', `is killed after ${after} effects`);
    world.plane.kill(after);
    whileFor(fleet, dice.pick([300, 3000, 15_000, 60_000]), world.plane.start);
  },
  'restart the plane': (fleet) => {
    fleet.world.trace.note('plane', 'is stopped');
    fleet.world.plane.stop(fleet.world.plane.start);
  },
};
