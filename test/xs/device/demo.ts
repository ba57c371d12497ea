import Host, { Serial, Storage, TCP, Time, Timer } from 'host';
import { AtModem } from '../../../hal/modem/index.js';
import { ConsoleCommand, DEVICE_OPERATIONS, type DeviceConfig } from '../../../host-sim/xs/wire.js';
import { Ipad } from '../../../ipa/ipad.js';
import { type IpaContext, resetMemory, SmdpServer, switchLocally } from '../../../ipa/procedures/index.js';
import { Console } from './console.js';
import { httpTo, makeLink, protocolsOfWays } from './link.js';

/** The IPA with a debug console, over which it tells its events and is told what to do: the device of `demo --engine xs`. */
export default function main(configuration: Readonly<Record<string, unknown>>): void {
  const config = configuration as unknown as DeviceConfig;
  const { address, port } = config.console;
  const terminal = new Console({
    io: TCP,
    address,
    port,
    onReady: () => void ipad.run(),
    onCommand: (command, data) => {
      if (command === ConsoleCommand.poll) ipad.poll();
      else if (command === ConsoleCommand.associate) ipad.associate(data);
      else if (command === ConsoleCommand.stop) ipad.stop();
      else if (command === ConsoleCommand.operate) {
        void ipad
          .perform((context) => operate(context, data))
          .then((result) => terminal.tell({ event: 'operated', result } as { event: string }));
      } else if (command === ConsoleCommand.exhaust) exhaust();
    },
    onLost: () => Host.exit(),
  });
  const observe = (event: { event: string }) => terminal.tell(event);
  const random = () => Host.random();
  const { smdp, ways } = config;
  const ipad = new Ipad({
    modem: new AtModem({
      serial: { io: Serial, baud: config.baud, port: 1 },
      timer: Timer,
      time: Time,
      maxResponse: config.maxResponse,
      observe,
    }),
    platform: {
      timer: Timer,
      time: Time,
      random,
      storage: Storage.open({ path: 'ipa', format: 'string' }),
    },
    settings: {
      networkThroughModem: true,
      supportedProtocols: protocolsOfWays(ways),
      ...config.settings,
    },
    connectSmdp: smdp
      ? (address, isSmds) => new SmdpServer(address, httpTo(address, smdp), isSmds)
      : undefined,
    observe,
    createLink: (eim, eid) => {
      const way = ways[eim.eimId];
      return way && makeLink({ way, eim, eid, random, observe });
    },
  });
}

/** @returns the eUICC's result, 0 when it was done */
async function operate(context: IpaContext, data: Uint8Array): Promise<number> {
  const op = DEVICE_OPERATIONS[data[0]];
  if (op !== 'resetMemory') return switchLocally(context, op);
  const { profiles, eimConfiguration, immediateEnable } = await resetMemory(context, data[1]);
  return Math.max(profiles, eimConfiguration, immediateEnable);
}

/** Until the engine aborts. Timers that never fire are objects that stay alive; a list of our own the bundler would take out. */
function exhaust(): void {
  for (;;) Timer.set(exhaust, 86_400_000);
}
