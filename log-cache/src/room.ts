/** Where the memory of timelines and lanes comes from: the store, by way of their source. */

/** Taking may evict, and may so shorten the very timeline that wants a page. */
export interface Room {
  /** A block of the class, or if need be of a smaller one down to `least`; or NONE. */
  take(blockClass: number, least: number, isPage?: boolean): number;
  /** The class of the block that was taken last. */
  readonly takenClass: number;
  release(address: number, blockClass: number): void;
}
