// A UART with a ring buffer behind it; the functions are in ring-serial.c. `Native` and `native` are the SDK's way to name
// them.

/** Longest answer line of a modem is 540 characters: one, and a second one half. */
const RING = 1024;

export default class RingSerial extends Native('xs_ring_serial_destructor') {
  constructor({ port = 1, receive, transmit, baud, ring = RING, onReadable, onWritable }) {
    super();
    native('xs_ring_serial_constructor').call(
      this,
      port,
      receive ?? -1,
      transmit ?? -1,
      baud,
      ring,
      onReadable,
      onWritable,
    );
  }

  read(buffer) {
    return native('xs_ring_serial_read').call(this, buffer);
  }

  write(buffer) {
    return native('xs_ring_serial_write').call(this, buffer);
  }

  close() {
    return native('xs_ring_serial_close').call(this);
  }
}
