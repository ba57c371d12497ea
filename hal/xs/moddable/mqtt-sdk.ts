import TCP from 'embedded:io/socket/tcp';
import SdkClient from 'embedded:network/mqtt/client';
import type {
  MqttClient,
  MqttControlMessage,
  MqttOptions,
  MqttWriteOptions,
  TcpConfiguration,
} from '../../contracts/index.js';
import { XsTcp } from './tcp.js';

/** The class as it is at run time: SDK 8.2.3 hands onControl one object, other versions two arguments. */
type Control = (
  operation: number | (MqttControlMessage & { operation: number }),
  message?: MqttControlMessage,
) => void;

/** The SDK's own MQTT client. It acknowledges a message when it announces it, and gives no reason in onError. */
export class MqttClass implements MqttClient {
  readonly #client: MqttClient;

  constructor(options: MqttOptions) {
    const onControl: Control = (operation, message) => {
      if (typeof operation === 'object') options.onControl?.(operation.operation, operation);
      else options.onControl?.(operation, message ?? {});
    };
    // It reads its socket byte by byte, in a format of its own, which the contract's has not.
    const given = options.socket as TcpConfiguration;
    const socket = given.io === XsTcp ? { ...given, io: TCP, nodelay: true } : given;
    const native = { ...options, socket, onControl } as unknown as ConstructorParameters<typeof SdkClient>[0];
    this.#client = new SdkClient(native) as unknown as MqttClient;
  }

  write(data: Uint8Array | undefined, options?: MqttWriteOptions): number {
    return this.#client.write(data, options);
  }

  read(into: Uint8Array): number {
    return this.#client.read(into) ?? 0;
  }

  close(): void {
    this.#client.close();
  }
}
