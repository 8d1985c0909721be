/** Disposes of what was opened, the last first: doors, then ways out, then what shows the counts. */
export async function closeAll(opened: AsyncDisposable[]): Promise<void> {
  for (let last = opened.pop(); last; last = opened.pop()) await last[Symbol.asyncDispose]();
}
