// The functions are in board-native.c; `native` is the SDK's way to name them.

export function watchdog(milliseconds) {
  return native('xs_board_watchdog').call(this, milliseconds);
}

export function feed() {
  return native('xs_board_feed').call(this);
}

export function deepSleep(milliseconds) {
  return native('xs_board_deep_sleep').call(this, milliseconds);
}

export function restart() {
  return native('xs_board_restart').call(this);
}
