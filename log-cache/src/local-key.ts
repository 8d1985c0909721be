/**
 * Request metadata by which one node asks another: answer from your own store.
 *
 * A ReadRequest has no field for it, and two nodes that disagree on the owner would otherwise send a
 * read to and fro. The original's nodes pass over it.
 */

export const LOCAL_KEY = 'standpipe-local';
