// A program on Linux is watched and restarted by whoever started it.

export function watchdog(_milliseconds: number): void {}

export function feed(): void {}

export function deepSleep(_milliseconds: number): void {}

export function restart(): void {}
