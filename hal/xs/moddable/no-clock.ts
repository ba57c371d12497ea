/** Stands for clock.ts where the system keeps the time. */
export function setClock(_server: string, done: () => void): void {
  done();
}
