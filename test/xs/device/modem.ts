import Host, { Serial, Time, Timer } from 'host';
import { AtModem } from '../../../hal/modem/index.js';

/** Configuration of the modem alone on the XS host. */
export interface ModemConfig {
  baud: number;
  maxResponse?: number;
  quirks?: string;
  access?: 'auto' | 'csim' | 'cgla';
}

/** The AT interface and the way to the card without the IPA, with figures step by step. */
export default function main(configuration: Readonly<Record<string, unknown>>): void {
  void run(configuration as unknown as ModemConfig);
}

const ISD_R = [0xa0, 0, 0, 5, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0, 0, 1, 0] as const;

async function run(config: ModemConfig): Promise<void> {
  // Before the first mark: what is the test's own.
  const sink = {
    length: 0,
    write(bytes: Uint8Array) {
      this.length += bytes.length;
    },
  };
  const GET_EID = Uint8Array.of(0x80, 0xe2, 0x91, 0x00, 0x06, 0xbf, 0x3e, 0x03, 0x5c, 0x01, 0x5a);
  const LIST = Uint8Array.of(0x80, 0xe2, 0x91, 0x00, 0x03, 0xbf, 0x2d, 0x00);
  Host.mark('boot');
  Host.census('boot');
  const modem = new AtModem({
    serial: { io: Serial, baud: config.baud, port: 1 },
    timer: Timer,
    time: Time,
    access: config.access,
    quirks: config.quirks,
    maxResponse: config.maxResponse,
  });
  Host.mark('new');
  const { quirks, access } = await modem.start();
  Host.mark('start');
  await modem.waitSimReady(10_000);
  Host.mark('ready');
  await modem.waitRegistered(10_000);
  Host.mark('registered');
  await modem.uicc.open(ISD_R);
  Host.mark('open');
  for (const [name, command] of [
    ['eid', GET_EID],
    ['list', LIST],
    ['again', LIST],
  ] as const) {
    sink.length = 0;
    const sw = await modem.uicc.transmit(command, sink);
    Host.mark(name);
    Host.log(`${name}: ${sw.toString(16)} ${sink.length}`);
  }
  await modem.iccid();
  await modem.rPlmn();
  Host.mark('identity');
  await modem.uicc.close();
  Host.mark('idle');
  Host.census('idle');
  Host.log(`${quirks} ${access}`);
  Host.exit();
}
