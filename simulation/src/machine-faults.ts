// What goes wrong on a machine beneath its agent: engine, containers, clock and disk.
import { type Acts, someMachine, whileFor } from './fleet.ts';

export const MACHINE_FAULTS: Acts = {
  'engine away': (fleet) => {
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, 'its engine is away');
    machine.meddle((engine) => engine.setDown(true));
    whileFor(fleet, fleet.dice.pick([1000, 10_000, 60_000]), () =>
      machine.meddle((engine) => engine.setDown(false)),
    );
  },
  'engine errors': (fleet) => {
    const machine = someMachine(fleet);
    const { dice } = fleet;
    const call = dice.pick([
      'list',
      'create',
      'start',
      'stop',
      'remove',
      'pull',
      'exec',
      'hasImage',
    ] as const);
    const how = dice.pick(['before', 'after', 'hang'] as const);
    const times = dice.int(1, 3);
    fleet.world.trace.note(machine.name, `engine: ${call} fails ${how} ${times}`);
    machine.meddle((engine) => engine.fail({ call, how, times }));
  },
  'cut events': (fleet) => someMachine(fleet).meddle((engine) => engine.cutEvents()),
  'crash a container': (fleet) => {
    const machine = someMachine(fleet);
    const { dice } = fleet;
    machine.meddle((engine) => {
      const running = engine.containers().filter(({ state }) => state === 'running');
      if (running.length === 0) return;
      const victim = dice.pick(running);
      fleet.world.trace.note(machine.name, `${victim.identity.pod.name}/${victim.identity.name} crashes`);
      if (dice.chance(0.8)) engine.end(victim.id, 1);
      else engine.vanish(victim.id);
    });
  },
  'move a clock': (fleet) => {
    const ms = fleet.dice.pick([1, -1]) * fleet.dice.pick([1500, 60_000, 3_600_000]);
    if (fleet.dice.chance(0.3)) return fleet.world.plane.moveClock(ms);
    const machine = someMachine(fleet);
    fleet.world.trace.note(machine.name, `its clock jumps ${ms} ms`);
    machine.moveClock(ms);
  },
  'full disk': (fleet) => {
    const { disk, name } = someMachine(fleet);
    fleet.world.trace.note(name, 'its disk is full');
    disk.setFull(true);
    whileFor(fleet, fleet.dice.pick([1000, 20_000]), () => disk.setFull(false));
  },
};
