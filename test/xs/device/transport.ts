import Host, { TCP, Timer, UDP } from 'host';
import { XsHttpClient } from '../../../hal/xs/http-client.js';
import { Es9Fields, Es9Path, JsonBody, JsonClient } from '../../../ipa/es9/index.js';
import { BppSegmenter } from '../../../ipa/es10/index.js';
import { CoapLink } from '../../../ipa/esipa/coap/index.js';

/** Configuration of the ways to servers alone on the XS host. */
export interface TransportConfig {
  script: 'es9' | 'coap';
  port: number;
}

/** HTTP with the JSON binding, or CoAP, without the IPA: with figures step by step. */
export default function main(configuration: Readonly<Record<string, unknown>>): void {
  const { script, port } = configuration as unknown as TransportConfig;
  void (script === 'es9' ? es9(port) : coap(port));
}

/** The two steps of a direct download with the long answers; the eUICC is a counter. */
async function es9(port: number): Promise<void> {
  const message = new Uint8Array(1_200).fill(0x5a);
  const command = new Uint8Array(5 + 120);
  Host.mark('boot');
  const segmenter = new BppSegmenter(command);
  Host.mark('segmenter');
  const client = new JsonClient({
    http: { io: XsHttpClient, host: '127.0.0.1', port, timer: Timer, socket: { io: TCP } },
  });
  const body = new JsonBody();
  Host.mark('client');
  body.text('transactionId', 'AB').bytes('authenticateServerResponse', message);
  await client.post(`${Es9Path.es9plus}authenticateClient`, body, Es9Fields.authenticateClient, {
    data: () => undefined,
  });
  Host.mark('authenticated');
  let commands = 0;
  const load = async (piece: Uint8Array) => {
    for (let at = 0; at < piece.length; ) {
      at += segmenter.push(piece, at);
      if (!segmenter.ready) continue;
      segmenter.command();
      commands++;
      await undefined;
    }
  };
  body.reset().text('transactionId', 'AB').bytes('prepareDownloadResponse', message);
  await client.post(`${Es9Path.es9plus}getBoundProfilePackage`, body, Es9Fields.getBoundProfilePackage, {
    data: (field, piece) => (field === 1 ? load(piece) : undefined),
  });
  segmenter.finish();
  Host.mark('loaded');
  Host.census('loaded');
  client.close();
  Host.log(`${commands} commands`);
  Host.exit();
}

async function coap(port: number): Promise<void> {
  const poll = new Uint8Array(22);
  poll.set([0xbf, 0x4f]);
  const long = new Uint8Array(1_200);
  long.set([0xbf, 0x50]);
  Host.mark('boot');
  const link = new CoapLink({
    eimId: 'eim',
    udp: { io: UDP },
    host: '127.0.0.1',
    port,
    timer: Timer,
    random: Host.random,
  });
  link.resume();
  Host.mark('link');
  let length = (await link.exchange(poll, () => true)).length;
  Host.mark('polled');
  length += (await link.exchange(long, () => true)).length;
  Host.mark('delivered');
  await link.download(poll, {
    take: async (piece) => {
      length += piece.length;
      return true;
    },
  });
  Host.mark('downloaded');
  Host.census('downloaded');
  link.close();
  Host.log(`${length} bytes`);
  Host.exit();
}
