/** What UAA and Cloud Controller answer: JSON that may be anything. */

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of a JSON object; undefined, if it is no such thing. */
export function fieldsIn(body: string): Fields | undefined {
  try {
    return objectOf(JSON.parse(body));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function objectOf(value: unknown): Fields | undefined {
  // An object that is no list has nothing but fields.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : undefined;
}

/** A list of objects; undefined, if it is no such thing. */
export function objectsIn(value: unknown): readonly Fields[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const objects = value.map(objectOf).filter((one) => one !== undefined);
  return objects.length === value.length ? objects : undefined;
}
