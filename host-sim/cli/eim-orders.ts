import { type Command, Option } from 'commander';
import { hex } from '../asn1/index.js';
import {
  type DeviceView,
  type DownloadTrigger,
  dataTags,
  defaultControlPort,
  EimControlClient,
  type Order,
  type Outcome,
} from '../eim/index.js';
import { HttpError } from '../http/index.js';
import { configurationBytes, eid, iccid, seconds, UsageError } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { outcomeLines } from './show.js';

export const defaultControl = `http://127.0.0.1:${defaultControlPort}`;

/** Exit status of an order that was refused, or of which an operation failed. */
const exitRefused = 2;
const exitTimeout = 3;

interface Operands {
  iccid: string;
  rollback?: boolean;
  class?: 'test' | 'provisioning' | 'operational';
  tags?: string[];
  off?: boolean;
  smdpOid?: string;
  address: string;
  configuration: string;
  eimId: string;
  activationCode?: string;
  defaultSmdp?: boolean;
  smds?: string | true;
  direct?: boolean;
  indirect?: boolean;
  confirmationCode?: string;
  refuseRules?: boolean;
}

interface OrderOptions extends OutputOptions, Operands {
  eid?: string;
  eim: string;
  inject?: boolean;
  timeout: number;
  newDevice?: boolean;
}

interface OrderCommand {
  description: string;
  operands?: readonly Option[];
  order(operands: Operands): Order | Promise<Order>;
}

const required = (flags: string, text: string, parse?: (text: string) => string): Option => {
  const option = new Option(flags, text).makeOptionMandatory();
  return parse ? option.argParser(parse) : option;
};
const optional = (flags: string, text: string): Option => new Option(flags, text);
const tags = (text: string, before?: string[]): string[] => [...(before ?? []), ...text.split(',')];

/** Called when the program is put together: an Option object holds the state of one parse. */
function orderCommands(): Record<string, OrderCommand> {
  const profile = () => required('--iccid <digits>', 'the profile', iccid);
  const configuration = () =>
    required('--configuration <what>', 'EimConfigurationData: a file, hex, or http:// of a running eIM');
  return {
    enable: {
      description: 'enable a profile; the one that was enabled is disabled',
      operands: [
        profile(),
        optional('--rollback', 'the device may go back if the new profile finds no network'),
      ],
      order: ({ iccid, rollback }) => ({ psmo: [{ op: 'enable', iccid, rollback }] }),
    },
    disable: {
      description: 'disable a profile',
      operands: [profile()],
      order: ({ iccid }) => ({ psmo: [{ op: 'disable', iccid }] }),
    },
    delete: {
      description: 'delete a disabled profile',
      operands: [profile()],
      order: ({ iccid }) => ({ psmo: [{ op: 'delete', iccid }] }),
    },
    'list-profiles': {
      description: 'list the profiles',
      operands: [
        optional('--iccid <digits>', 'only this one').argParser(iccid),
        optional('--class <class>', 'only this class').choices(['test', 'provisioning', 'operational']),
        optional('--tags <list>', 'which parts, hex with commas, for example 5A,9F70,92').argParser(tags),
      ],
      order: ({ iccid, class: profileClass, tags }) => ({
        psmo: [{ op: 'listProfileInfo', iccid: iccid as string | undefined, profileClass, tags }],
      }),
    },
    rat: {
      description: 'read the Rules Authorisation Table',
      order: () => ({ psmo: [{ op: 'getRAT' }] }),
    },
    'immediate-enable': {
      description: 'configure the immediate enabling of a downloaded profile',
      operands: [
        optional('--off', 'switch it off'),
        optional('--smdp-oid <oid>', 'OID of the SM-DP+ it is for'),
        optional('--address <fqdn>', 'address of the SM-DP+ it is for'),
      ],
      order: ({ off, smdpOid, address }) => ({
        psmo: [{ op: 'configureImmediateEnable', enable: !off, smdpOid, smdpAddress: address }],
      }),
    },
    'set-fallback': {
      description: 'give a profile the fallback attribute',
      operands: [profile()],
      order: ({ iccid }) => ({ psmo: [{ op: 'setFallbackAttribute', iccid }] }),
    },
    'unset-fallback': {
      description: 'take the fallback attribute away',
      order: () => ({ psmo: [{ op: 'unsetFallbackAttribute' }] }),
    },
    'default-dp': {
      description: 'set the default SM-DP+ address; an empty one removes it',
      operands: [required('--address <fqdn>', 'the address')],
      order: ({ address }) => ({ psmo: [{ op: 'setDefaultDpAddress', address }] }),
    },
    'add-eim': {
      description: 'associate a further eIM',
      operands: [configuration()],
      order: async ({ configuration }) => ({
        eco: [{ op: 'addEim', eim: await eimConfiguration(configuration, true) }],
      }),
    },
    'update-eim': {
      description: "replace an associated eIM's configuration",
      operands: [configuration()],
      order: async ({ configuration }) => ({
        eco: [{ op: 'updateEim', eim: await eimConfiguration(configuration, false) }],
      }),
    },
    'delete-eim': {
      description: 'remove an associated eIM',
      operands: [required('--eim-id <id>', 'the eIM')],
      order: ({ eimId }) => ({ eco: [{ op: 'deleteEim', eimId }] }),
    },
    'list-eim': {
      description: 'list the associated eIMs',
      order: () => ({ eco: [{ op: 'listEim' }] }),
    },
    download: {
      description: 'download a profile',
      operands: [
        optional('--activation-code <code>', '1$address$matchingId, as `smdp order` prints it'),
        optional('--default-smdp', 'from the default SM-DP+ of the eUICC'),
        optional('--smds [fqdn]', 'from an SM-DS; without a name the root SM-DS of the eUICC'),
        optional('--direct', 'the device talks to the SM-DP+ itself'),
        optional('--indirect', 'through this eIM'),
        optional('--confirmation-code <text>', 'for an order that asks for one; indirect only'),
        optional('--refuse-rules', 'refuse profiles with policy rules, where the IPA leaves that to the eIM'),
      ],
      order: (operands) => ({ download: downloadOf(operands) }),
    },
    data: {
      description: 'ask eUICC and IPA for data',
      operands: [
        required('--tags <list>', `with commas, hex or names: ${Object.keys(dataTags).join(', ')}`).argParser(
          tags,
        ),
      ],
      order: ({ tags }) => ({ data: { tags: tags ?? [] } }),
    },
  };
}

/** @throws UsageError */
function downloadOf(operands: Operands): DownloadTrigger {
  const { activationCode, defaultSmdp, smds, direct, indirect, confirmationCode, refuseRules } = operands;
  if (direct && indirect) throw new UsageError('a download is --direct or --indirect, not both');
  return {
    activationCode,
    defaultSmdp,
    smds: smds === true ? '' : smds,
    way: direct ? 'direct' : indirect ? 'indirect' : undefined,
    confirmationCode,
    ...(refuseRules && { allowPolicyRules: false }),
  };
}

export function registerOrders(eim: Command, output: (options: OutputOptions) => Output): void {
  for (const [name, { description, operands = [], order }] of Object.entries(orderCommands())) {
    const command = eim
      .command(name)
      .summary(description)
      .description(
        `${description}\nQueues it on the running eIM, waits for the verified result and prints it.`,
      )
      .option('--eid <digits>', 'the device (default: the only one the eIM knows)', eid)
      .option('--eim <url>', 'control address of the running eIM', defaultControl);
    for (const operand of operands) command.addOption(operand);
    command
      .option('--inject', 'push it to the device now, instead of at its next poll')
      .option('--timeout <seconds>', 'how long to wait for the result', seconds, 120)
      .option('--new-device', 'even if the eIM has never heard of this EID')
      .option('--json', 'the outcome as one JSON object')
      .addHelpText(
        'after',
        `\nExit status: 0 carried out and verified, 1 could not be asked, ${exitRefused} refused or failed, ${exitTimeout} no result in time`,
      )
      .action(async (options: OrderOptions) => {
        process.exitCode = await send(options, order, output(options));
      });
  }
}

async function send(options: OrderOptions, make: OrderCommand['order'], output: Output): Promise<number> {
  const client = new EimControlClient(options.eim);
  const order = await make(options);
  const device = chosen(await client.devices(), options);
  let state = options.inject ? 'it is to be pushed' : 'the device fetches it with its next poll';
  // While waiting: how far it is.
  const look = setInterval(async () => {
    const view = await client.devices().catch(() => []);
    const now = view.find(({ eid }) => eid === device);
    if (now?.outstanding)
      state = `${options.inject ? 'pushed to the device' : 'the device has it'}, its result is awaited`;
  }, 2000);
  let outcome: Outcome;
  try {
    const work = client.order({
      eid: device,
      order,
      mode: options.inject ? 'injection' : 'retrieval',
      timeoutMilliseconds: options.timeout * 1000,
    });
    outcome = await output.during(() => `waiting for ${device}: ${state}`, work);
  } catch (error) {
    const gone = error instanceof HttpError && /hang up|ECONNRESET/.test(error.message);
    if (!gone) throw error;
    throw new HttpError(
      'control',
      `the eIM at ${options.eim} was stopped while the order was waiting; the order is kept and goes on when the eIM runs again`,
      { cause: error },
    );
  } finally {
    clearInterval(look);
  }
  output.result({ eid: device, ...outcome }, outcomeLines(outcome));
  if (outcome.outcome === 'timeout') return exitTimeout;
  return outcome.ok ? 0 : exitRefused;
}

/** @throws UsageError when it is not clear which device is meant, or nobody knows it */
function chosen(devices: readonly DeviceView[], { eid, eim, newDevice }: OrderOptions): string {
  const known = devices.map((device) => device.eid);
  if (eid !== undefined && (known.includes(eid) || newDevice)) return eid;
  if (eid === undefined && known.length === 1) return known[0];
  if (eid === undefined && known.length > 1) {
    throw new UsageError(`say which device with --eid: the eIM at ${eim} knows ${known.join(', ')}`);
  }
  const list =
    known.length > 0
      ? `the eIM at ${eim} knows no device ${eid}, only ${known.join(', ')}`
      : `no device has polled the eIM at ${eim} yet: start one with \`npx xs-ipa device\``;
  throw new UsageError(`${list}; --eid EID --new-device leaves the order for a first poll`);
}

async function eimConfiguration(text: string, token: boolean): Promise<string> {
  const bytes = /^https?:/.test(text)
    ? await new EimControlClient(text).eimConfiguration({ token })
    : configurationBytes(text);
  return hex(bytes);
}
