/** The way out of a drain: whatever takes framed messages to where they are wanted. */
export interface DrainWriter extends AsyncDisposable {
  /** Whether it is connected now. */
  readonly isOpen: boolean;
  /**
   * Connects if need be, and resolves once this machine has taken the bytes off our hands. Rejects
   * with a WriteError if it cannot; the same bytes may then be written again.
   */
  write(bytes: Buffer): Promise<void>;
  /** Closes at once what is open; a write that waits rejects. */
  cut(): void;
}

/** A drain that could not be reached, or that went away. */
export class WriteError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WriteError';
  }
}
