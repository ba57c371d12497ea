/*
 * A UART in the shape of ECMA-419's Serial, on ESP-IDF's own driver (5.0 and later): its interrupt moves received bytes into
 * a ring buffer, however long a script runs or a collection takes. Written are 128 bytes at a time, as many as the
 * transmitter holds.
 *
 * A task waits for the driver's events and tells the machine. It owns the driver, so that it is the one who gives it back;
 * script, task and each message under way hold the record.
 */

#include "xsmc.h"
#include "xsHost.h"

#include "driver/uart.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/task.h"

#define EVENTS 8
#define FIFO 128
#define TASK_STACK 2048
#define TASK_PRIORITY 10
/* Of ticks, for the UART to be given back by the one before. */
#define PATIENCE 20
/* The task is to look: none of the driver's own events. */
#define LOOK UART_EVENT_MAX

typedef struct {
  xsMachine *the;
  xsSlot object;
  xsSlot *onReadable;
  xsSlot *onWritable;
  QueueHandle_t events;
  uart_port_t uart;
  int users;
  /* What may still be written, and whether the script waits for more. */
  int room;
  int wantsRoom;
  int isEmpty;
  int isPosted;
  int isClosed;
} Ring;

static void mark(xsMachine *the, void *it, xsMarkRoot markRoot);
void xs_ring_serial_destructor(void *it);

static const xsHostHooks hooks = {xs_ring_serial_destructor, mark, NULL};

static int get(int *flag) { return __atomic_load_n(flag, __ATOMIC_SEQ_CST); }
static void set(int *flag, int value) { __atomic_store_n(flag, value, __ATOMIC_SEQ_CST); }

static void release(Ring *ring) {
  if (__atomic_sub_fetch(&ring->users, 1, __ATOMIC_SEQ_CST) == 0) c_free(ring);
}

static void look(Ring *ring) {
  uart_event_t event = {.type = LOOK};
  /* A full queue is as good: the task looks after each event. */
  xQueueSend(ring->events, &event, 0);
}

/* On the machine's task. */
static void deliver(void *machine, void *it, uint8_t *message, uint16_t length) {
  xsMachine *the = machine;
  Ring *ring = it;
  (void)message;
  (void)length;
  /* First: what comes from here on is told by a message of its own. */
  set(&ring->isPosted, 0);
  size_t waiting = 0;
  if (!get(&ring->isClosed) && ring->onReadable && uart_get_buffered_data_len(ring->uart, &waiting) == ESP_OK &&
      waiting > 0) {
    xsBeginHost(the);
    xsmcSetInteger(xsResult, (int)waiting);
    xsCallFunction1(xsReference(ring->onReadable), ring->object, xsResult);
    xsEndHost(the);
  }
  if (!get(&ring->isClosed) && ring->onWritable && get(&ring->isEmpty)) {
    set(&ring->isEmpty, 0);
    set(&ring->wantsRoom, 0);
    ring->room = FIFO;
    xsBeginHost(the);
    xsmcSetInteger(xsResult, FIFO);
    xsCallFunction1(xsReference(ring->onWritable), ring->object, xsResult);
    xsEndHost(the);
  }
  release(ring);
}

static void post(Ring *ring) {
  if (get(&ring->isClosed) || __atomic_exchange_n(&ring->isPosted, 1, __ATOMIC_SEQ_CST)) return;
  __atomic_add_fetch(&ring->users, 1, __ATOMIC_SEQ_CST);
  if (modMessagePostToMachine(ring->the, NULL, 0, deliver, ring) == 0) return;
  set(&ring->isPosted, 0);
  release(ring);
}

static void work(void *it) {
  Ring *ring = it;
  uart_event_t event;
  TickType_t patience = 1;
  while (!get(&ring->isClosed)) {
    xQueueReceive(ring->events, &event, patience);
    patience = portMAX_DELAY;
    if (get(&ring->wantsRoom) && !get(&ring->isEmpty)) {
      if (uart_wait_tx_done(ring->uart, 2) == ESP_OK) set(&ring->isEmpty, 1);
      else patience = 1;
    }
    size_t waiting = 0;
    uart_get_buffered_data_len(ring->uart, &waiting);
    if (waiting > 0 || get(&ring->isEmpty)) post(ring);
  }
  uart_driver_delete(ring->uart);
  release(ring);
  vTaskDelete(NULL);
}

static xsSlot *callback(xsMachine *the, xsSlot *slot) {
  return xsmcTypeOf(*slot) == xsReferenceType ? fxToReference(the, slot) : NULL;
}

/* Arguments: number of the UART, pins to receive and to transmit (-1: none), baud, bytes of the ring, two callbacks. */
void xs_ring_serial_constructor(xsMachine *the) {
  uart_port_t uart = xsmcToInteger(xsArg(0));
  int receive = xsmcToInteger(xsArg(1));
  int transmit = xsmcToInteger(xsArg(2));
  int baud = xsmcToInteger(xsArg(3));
  int bytes = xsmcToInteger(xsArg(4));
  if (uart < 0 || uart >= UART_NUM_MAX) xsRangeError("port");
  if (baud <= 0) xsRangeError("baud");
  if (bytes <= FIFO) xsRangeError("ring");

  for (int i = 0; uart_is_driver_installed(uart); i++) {
    if (i == PATIENCE) xsUnknownError("port in use");
    vTaskDelay(1);
  }
  Ring *ring = c_calloc(1, sizeof(Ring));
  if (!ring) xsUnknownError("no memory");
  uart_config_t config = {
      .baud_rate = baud,
      .data_bits = UART_DATA_8_BITS,
      .parity = UART_PARITY_DISABLE,
      .stop_bits = UART_STOP_BITS_1,
      .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
  };
  if (uart_driver_install(uart, bytes, 0, EVENTS, &ring->events, 0) != ESP_OK) {
    c_free(ring);
    xsUnknownError("no memory");
  }
  if (uart_param_config(uart, &config) != ESP_OK ||
      uart_set_pin(uart, transmit < 0 ? UART_PIN_NO_CHANGE : transmit, receive < 0 ? UART_PIN_NO_CHANGE : receive,
                   UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE) != ESP_OK) {
    uart_driver_delete(uart);
    c_free(ring);
    xsUnknownError("pins or baud");
  }
  ring->the = the;
  ring->uart = uart;
  ring->users = 2;
  ring->wantsRoom = 1;
  ring->onReadable = callback(the, &xsArg(5));
  ring->onWritable = callback(the, &xsArg(6));
  ring->object = xsThis;
  if (xTaskCreate(work, "ring-serial", TASK_STACK, ring, TASK_PRIORITY, NULL) != pdPASS) {
    uart_driver_delete(uart);
    c_free(ring);
    xsUnknownError("no memory");
  }
  xsmcSetHostData(xsThis, ring);
  xsSetHostHooks(xsThis, (xsHostHooks *)&hooks);
  xsRemember(ring->object);
}

void xs_ring_serial_destructor(void *it) {
  Ring *ring = it;
  if (!ring) return;
  set(&ring->isClosed, 1);
  look(ring);
  release(ring);
}

static void mark(xsMachine *the, void *it, xsMarkRoot markRoot) {
  Ring *ring = it;
  if (ring->onReadable) (*markRoot)(the, ring->onReadable);
  if (ring->onWritable) (*markRoot)(the, ring->onWritable);
}

void xs_ring_serial_close(xsMachine *the) {
  Ring *ring = xsmcGetHostData(xsThis);
  if (!ring) return;
  xsForget(ring->object);
  xsmcSetHostData(xsThis, NULL);
  xsmcSetHostDestructor(xsThis, NULL);
  xs_ring_serial_destructor(ring);
}

/* How many bytes were copied into the buffer; 0 when none wait. */
void xs_ring_serial_read(xsMachine *the) {
  Ring *ring = xsmcGetHostDataValidate(xsThis, (void *)&hooks);
  void *buffer;
  xsUnsignedValue length;
  xsmcGetBufferWritable(xsArg(0), &buffer, &length);
  int count = uart_read_bytes(ring->uart, buffer, length, 0);
  xsmcSetInteger(xsResult, count > 0 ? count : 0);
}

void xs_ring_serial_write(xsMachine *the) {
  Ring *ring = xsmcGetHostDataValidate(xsThis, (void *)&hooks);
  void *buffer;
  xsUnsignedValue length;
  xsmcGetBufferReadable(xsArg(0), &buffer, &length);
  if ((int)length > ring->room) xsUnknownError("output full");
  int count = uart_tx_chars(ring->uart, buffer, length);
  if (count != (int)length) xsUnknownError("output full");
  ring->room -= count;
  set(&ring->wantsRoom, 1);
  look(ring);
}
