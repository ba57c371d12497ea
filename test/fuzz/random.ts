/** Marsaglia's xorshift128: fast, and the same on every machine for the same seed. */
export class Random {
  #x: number;
  #y: number;
  #z: number;
  #w: number;

  constructor(seed: number) {
    this.#x = seed | 0;
    this.#y = 362436069;
    this.#z = 521288629;
    this.#w = 88675123;
    for (let i = 0; i < 16; i++) this.next();
  }

  /** 32 random bits, unsigned. */
  next(): number {
    const t = this.#x ^ (this.#x << 11);
    this.#x = this.#y;
    this.#y = this.#z;
    this.#z = this.#w;
    this.#w = this.#w ^ (this.#w >>> 19) ^ t ^ (t >>> 8);
    return this.#w >>> 0;
  }

  /** 0 … limit − 1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(list: ArrayLike<T>): T {
    return list[this.next() % list.length];
  }
}
