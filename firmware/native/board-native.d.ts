/** Functions of the chip that the SDK has no module for; one implementation per platform beside this file. */
declare module 'board-native' {
  /** Starts the watchdog, or changes its time. */
  export function watchdog(milliseconds: number): void;
  export function feed(): void;
  /** Does not return. */
  export function deepSleep(milliseconds: number): void;
  /** Does not return. */
  export function restart(): void;
}
