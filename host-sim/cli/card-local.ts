import { type Command, InvalidArgumentError } from 'commander';
import {
  addProfile,
  deleteProfile,
  disableProfile,
  enableProfile,
  nameProfile,
  notifications,
  type Operation,
  profiles,
  removeNotification,
  type SentNotifications,
  sendNotifications,
} from '../../ipa/procedures/index.js';
import { iccidDigits } from '../../ipa/text.js';
import { onCard, type Perform, type SessionOptions, sessionOptions } from './card-session.js';
import { iccid } from './operands.js';
import type { Output, OutputOptions } from './output.js';
import { table } from './show.js';

interface ChangeOptions extends SessionOptions {
  notify: boolean;
}

interface AddOptions extends ChangeOptions {
  confirmationCode?: string;
}

const EVENTS = ['install', 'enable', 'disable', 'delete'];
const CLASSES = ['test', 'provisioning', 'operational'];
const LATER = 'the notifications stay on the eUICC: `npx xs-ipa card notifications send` sends them';

/** What an LPA does on a consumer eUICC, on the command line. */
export function registerLocal(card: Command, output: (options: OutputOptions) => Output): void {
  const where =
    "Without --modem on the virtual eUICC of --state's folder, with it on any eUICC. One of SGP.32 need not allow it.";
  sessionOptions(card.command('list').description('the profiles on the eUICC')).action(
    async (options: SessionOptions) => list(options, output(options)),
  );
  sessionOptions(
    card
      .command('add')
      .summary('downloads and installs a profile')
      .description(
        'Downloads a profile by its activation code, installs it and tells the SM-DP+. It is not enabled.',
      )
      .argument('<activation-code>', '1$smdp.example.com$TOKEN, in quotes')
      .option('--confirmation-code <text>', 'what the operator gave with it')
      .option('--no-notify', 'leave the notification on the eUICC'),
  ).action(async (code: string, options: AddOptions) => add(code, options, output(options)));
  const changes: [name: string, what: string, (iccid: string) => Operation<void>][] = [
    ['enable', 'enables a profile', (id) => (context) => enableProfile(context, id)],
    ['disable', 'disables a profile', (id) => (context) => disableProfile(context, id)],
    ['delete', 'deletes a profile that is not enabled', (id) => (context) => deleteProfile(context, id)],
  ];
  for (const [name, what, operation] of changes)
    sessionOptions(
      card
        .command(name)
        .summary(what)
        .description(`${what[0].toUpperCase()}${what.slice(1)} and tells its SM-DP+.\n${where}`)
        .argument('<iccid>', '`card list` shows it', iccid)
        .option('--no-notify', 'leave the notification on the eUICC'),
    ).action(async (id: string, options: ChangeOptions) =>
      change(id, operation(id), `${name}d`, options, output(options)),
    );
  sessionOptions(
    card
      .command('nickname')
      .description(`Names a profile.\n${where}`)
      .argument('<iccid>', '`card list` shows it', iccid)
      .argument('[name]', 'at most 64 bytes; none removes it', ''),
  ).action(async (id: string, name: string, options: SessionOptions) => {
    await onCard(options, output(options), (perform) => perform((context) => nameProfile(context, id, name)));
    output(options).result({ iccid: id, nickname: name }, [
      `${id} is ${name ? `"${name}"` : 'nameless'} now`,
    ]);
  });
  const pending = card.command('notifications').description('what the eUICC has to tell its SM-DP+');
  sessionOptions(pending.command('list', { isDefault: true }).description('lists them')).action(
    async (options: SessionOptions) => listNotifications(options, output(options)),
  );
  sessionOptions(
    pending
      .command('send')
      .description('brings them to their SM-DP+ and removes what has arrived')
      .argument('[number...]', 'all when not given', sequenceNumbers),
  ).action(async (numbers: number[], options: SessionOptions) => {
    const only = numbers.length > 0 ? numbers : undefined;
    const found = await onCard(options, output(options), (perform) =>
      perform((context) => sendNotifications(context, only)),
    );
    output(options).result(found, sentLines(found));
    if (found.kept.length > 0) process.exitCode = 2;
  });
  sessionOptions(
    pending
      .command('remove')
      .description('takes them off the eUICC although nobody got them')
      .argument('<number...>', '`card notifications` shows them', sequenceNumbers),
  ).action(async (numbers: number[], options: SessionOptions) => {
    await onCard(options, output(options), async (perform) => {
      for (const number of numbers) await perform((context) => removeNotification(context, number));
    });
    output(options).result({ removed: numbers }, [`removed ${numbers.join(', ')}`]);
  });
}

/** Of a variadic operand: commander gives what was read before. */
function sequenceNumbers(text: string, before: number[] | undefined): number[] {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A sequence number is needed.');
  return [...(before ?? []), Number(text)];
}

async function list(options: SessionOptions, output: Output): Promise<void> {
  const found = await onCard(options, output, (perform) => perform(profiles));
  const shown = found.map((one) => ({
    ...one,
    iccid: iccidDigits(one.iccid),
    profileClass: CLASSES[one.profileClass] ?? String(one.profileClass),
  }));
  const rows = shown.map((one) => [
    one.iccid,
    one.enabled ? 'enabled' : 'disabled',
    one.profileClass,
    one.serviceProviderName,
    one.profileName,
    one.nickname,
  ]);
  output.result(
    { profiles: shown },
    rows.length === 0
      ? ['no profiles']
      : table([['ICCID', 'STATE', 'CLASS', 'PROVIDER', 'NAME', 'NICKNAME'], ...rows]),
  );
}

async function add(code: string, options: AddOptions, output: Output): Promise<void> {
  const found = await onCard(options, output, async (perform) => {
    const work = perform((context) => addProfile(context, code, options.confirmationCode));
    const id = await output.during('downloading the profile', work);
    return { iccid: id, notifications: await notify(options, perform) };
  });
  output.result(found, [`installed profile ${found.iccid}`, ...sentLines(found.notifications)]);
}

async function change(
  id: string,
  operation: Operation<void>,
  done: string,
  options: ChangeOptions,
  output: Output,
): Promise<void> {
  const sent = await onCard(options, output, async (perform) => {
    await output.during(`waiting until ${id} is ${done}`, perform(operation));
    return notify(options, perform);
  });
  output.result({ iccid: id, state: done, notifications: sent }, [`${id} is ${done}`, ...sentLines(sent)]);
}

/** What cannot be sent now is no failure of the change before it. */
function notify({ notify }: ChangeOptions, perform: Perform): Promise<SentNotifications | undefined> {
  return notify ? perform((context) => sendNotifications(context)) : Promise.resolve(undefined);
}

async function listNotifications(options: SessionOptions, output: Output): Promise<void> {
  const found = await onCard(options, output, (perform) => perform(notifications));
  const shown = found.map((one) => ({
    seqNumber: one.seqNumber,
    event: EVENTS[one.event] ?? 'unknown',
    address: one.address,
    ...(one.iccid && { iccid: iccidDigits(one.iccid) }),
  }));
  const rows = shown.map((one) => [String(one.seqNumber), one.event, one.iccid ?? '', one.address]);
  output.result(
    { notifications: shown },
    rows.length === 0 ? ['none wait'] : table([['NUMBER', 'EVENT', 'ICCID', 'FOR'], ...rows]),
  );
}

function sentLines(found: SentNotifications | undefined): string[] {
  if (!found) return [LATER];
  const lines = found.sent.map((number) => `notification ${number} is delivered`);
  for (const { seqNumber, reason } of found.kept)
    lines.push(`notification ${seqNumber} stays on the eUICC: ${reason}`);
  return lines;
}
