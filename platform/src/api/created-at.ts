/** When everything was created: a file doesn't say, and clients want a time. */
export const CREATED_AT = '2024-01-01T00:00:00Z';
