import { type Decoding, fieldsOf, MARKERS } from './wire-net.js';

/** What an activity took, both ways. */
export interface WireFigures {
  /** With IP headers. */
  bytes: number;
  packets: number;
  /** Requests and responses of the protocol that carries ESipa. */
  messages: number;
  /** TCP connections that were opened, or DTLS sessions. */
  connections: number;
  /** TLS and DTLS handshakes with a certificate or a key, and those that resumed a session. */
  full: number;
  resumed: number;
  /** How often each message was seen: POST, 200, PUBLISH, PUBACK, 2.05, … */
  seen: Readonly<Record<string, number>>;
}

export interface Activity extends WireFigures {
  name: string;
}

const FIELDS = [
  'ip.len',
  'tcp.stream',
  'tcp.port',
  'udp.port',
  'udp.payload',
  'tcp.flags',
  'mqtt.msgtype',
  'coap.code',
  'http.request.method',
  'http.response.code',
  'tls.handshake.type',
  'dtls.handshake.type',
] as const;

type Frame = Readonly<Record<(typeof FIELDS)[number], string>>;

const MQTT = [
  '',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
];

/**
 * What passed between the device and its eIM from each mark to the next, from the capture alone.
 * @param port of the eIM or broker. TCP connections that were there before the first mark are somebody else's.
 */
export async function activitiesOf(file: string, port: number, decoding: Decoding): Promise<Activity[]> {
  const rows = await fieldsOf(file, decoding, FIELDS);
  const frames = rows.map(
    (row) => Object.fromEntries(FIELDS.map((name, index) => [name, row[index] ?? ''])) as unknown as Frame,
  );
  return cut(frames, port);
}

/** Options of RFC 9175 (Echo, Request-Tag), which tshark 4.0 does not know and so calls invalid. */
const UNKNOWN = /^Invalid Option Number (252|292)$/;

/** What tshark takes for broken. */
export async function faultsOf(file: string, decoding: Decoding): Promise<string[]> {
  const rows = await fieldsOf(
    file,
    decoding,
    ['frame.number', 'frame.protocols', '_ws.expert.message'],
    '_ws.malformed || _ws.expert.severity >= error',
  );
  const broken = rows.filter(([, , message]) => !UNKNOWN.test(message));
  return broken.map(
    ([number, protocols, message]) => `frame ${number} (${protocols}): ${message || 'malformed'}`,
  );
}

function cut(frames: readonly Frame[], port: number): Activity[] {
  const activities: (Activity & { seen: Record<string, number> })[] = [];
  const foreign = new Set<string>();
  let started = false;
  let present: (typeof activities)[number] | undefined;
  for (const frame of frames) {
    if (list(frame['udp.port']).includes(String(MARKERS))) {
      const name = Buffer.from(frame['udp.payload'].replaceAll(':', ''), 'hex').toString();
      started = true;
      present = undefined;
      if (name !== '') {
        present = { name, bytes: 0, packets: 0, messages: 0, connections: 0, full: 0, resumed: 0, seen: {} };
        activities.push(present);
      }
      continue;
    }
    const stream = frame['tcp.stream'];
    if (!started && stream !== '') foreign.add(stream);
    const ports = [...list(frame['tcp.port']), ...list(frame['udp.port'])];
    if (present && ports.includes(String(port)) && !(stream !== '' && foreign.has(stream)))
      count(present, frame);
  }
  return activities;
}

function count(activity: Activity & { seen: Record<string, number> }, frame: Frame): void {
  // Of an ICMP error the header of the packet that it is about comes second.
  activity.bytes += Number(list(frame['ip.len'])[0]);
  activity.packets++;
  const messages = [
    ...list(frame['mqtt.msgtype']).map((type) => MQTT[Number(type)]),
    ...list(frame['coap.code']).map(codeName),
    ...list(frame['http.request.method']),
    ...list(frame['http.response.code']),
  ];
  activity.messages += messages.length;
  for (const name of messages) activity.seen[name] = (activity.seen[name] ?? 0) + 1;
  // SYN without ACK.
  if (frame['tcp.flags'] !== '' && (Number(frame['tcp.flags']) & 0x12) === 0x02) activity.connections++;
  const tls = list(frame['tls.handshake.type']);
  const dtls = list(frame['dtls.handshake.type']);
  // A ServerHello, with a certificate (11) in the same flight or without.
  if (tls.includes('2')) {
    if (tls.includes('11')) activity.full++;
    else activity.resumed++;
  }
  if (dtls.includes('2')) {
    activity.full++;
    activity.connections++;
  }
}

function codeName(code: string): string {
  const value = Number(code);
  return value === 2
    ? 'POST'
    : value === 0
      ? 'empty'
      : `${value >> 5}.${String(value & 31).padStart(2, '0')}`;
}

function list(field: string): string[] {
  return field === '' ? [] : field.split(',');
}
