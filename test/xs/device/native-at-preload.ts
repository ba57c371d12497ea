import { Timer } from 'host';

// What a preloaded module must not do: a timer cannot be stored in flash.
Timer.set(() => {}, 1);

export default function main(): void {}
