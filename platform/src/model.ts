/**
 * Who and what there is: users and clients on UAA's side, organizations, spaces and what is in
 * them on Cloud Controller's. It never changes; an edit of the file makes another one.
 *
 *     organization ──▶ space ──┬──▶ app ──▶ drain
 *                              └──▶ service instance
 */

/** A person, with a password in plain text. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly email: string;
  readonly scopes: readonly string[];
  readonly spaces: readonly Space[];
}

/** The longest that a token may be good. */
export const TOKEN_SECONDS_MAX: number = 10 * 365 * 86_400;

/** A program. */
export interface Client {
  readonly id: string;
  readonly secret: string;
  readonly grantTypes: readonly GrantType[];
  /** What its users' tokens may carry. */
  readonly scopes: readonly string[];
  /** What its own tokens carry. */
  readonly authorities: readonly string[];
  readonly accessTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  readonly spaces: readonly Space[];
}

export const GRANT_TYPES = ['password', 'client_credentials', 'refresh_token'] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

export interface Organization {
  readonly guid: string;
  readonly name: string;
}

export interface Space {
  readonly guid: string;
  readonly name: string;
  readonly organization: Organization;
}

export interface App {
  readonly guid: string;
  readonly name: string;
  readonly space: Space;
  readonly state: 'STARTED' | 'STOPPED';
  readonly lifecycle: 'buildpack' | 'docker' | 'cnb';
  readonly buildpacks: readonly string[];
  readonly processType: string;
  readonly instances: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly drains: readonly Drain[];
}

export interface ServiceInstance {
  readonly guid: string;
  readonly name: string;
  readonly space: Space;
  readonly type: 'managed' | 'user-provided';
}

/** Where an app's logs go, with PEM texts or none. */
export interface Drain {
  readonly url: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** What Cloud Controller shows of all there is. */
export interface View {
  readonly organizations: readonly Organization[];
  readonly spaces: readonly Space[];
  readonly apps: readonly App[];
  readonly serviceInstances: readonly ServiceInstance[];
}

export interface Model extends View {
  readonly users: readonly User[];
  readonly clients: readonly Client[];
}

/** What somebody sees who may look into these spaces. */
export function viewOf(model: Model, spaces: readonly Space[]): View {
  const seen = new Set(spaces);
  const organizations = new Set(spaces.map(({ organization }) => organization));
  return {
    organizations: model.organizations.filter((organization) => organizations.has(organization)),
    spaces: model.spaces.filter((space) => seen.has(space)),
    apps: model.apps.filter(({ space }) => seen.has(space)),
    serviceInstances: model.serviceInstances.filter(({ space }) => seen.has(space)),
  };
}
