import type { Time, Timer } from '../contracts/index.js';

export const nodeTimer: Timer = {
  set: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clear: (handle) => clearTimeout(handle as NodeJS.Timeout | undefined),
};

export const nodeTime: Time = {
  get ticks() {
    return performance.now();
  },
};
