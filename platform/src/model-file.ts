/**
 * The file that says who and what there is: YAML (so it may be JSON), of which examples/platform.yml
 * shows everything.
 *
 * All mistakes are told at once, each with its place in the file. A GUID that is not given is made
 * from the name, and an app's in the way that the executor makes it, so that an app of the same
 * name is the one whose logs come.
 */

import { guidOf } from '@standpipe/plumbing';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import {
  type App,
  type Client,
  GRANT_TYPES,
  type Model,
  type Organization,
  type ServiceInstance,
  type Space,
  TOKEN_SECONDS_MAX,
  type User,
} from './model.ts';

/** What every user's tokens may carry, as in a Cloud Foundry that nobody configured otherwise. */
const EVERY_USER: readonly string[] = [
  'openid',
  'cloud_controller.read',
  'cloud_controller.write',
  'password.write',
  'uaa.user',
];

const ACCESS_TOKEN_SECONDS = 43_200;
const REFRESH_TOKEN_SECONDS = 2_592_000;
const MISTAKES_MAX = 50;

/** A file that is not what it should be. */
export class ModelError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const told = mistakes.slice(0, MISTAKES_MAX).map((mistake) => `  - ${mistake}`);
    if (mistakes.length > MISTAKES_MAX) told.push(`  - and ${mistakes.length - MISTAKES_MAX} more`);
    super(`bad platform file:\n${told.join('\n')}`);
    this.name = 'ModelError';
    this.mistakes = mistakes;
  }
}

const name = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}/]{1,100}$/u, 'must be 1 to 100 characters without a slash');
const guid = z.string().regex(/^[!-.0-~]{1,100}$/, 'must be 1 to 100 ASCII characters, no slash');
const words = z.array(z.string().regex(/^[!-~]{1,200}$/, 'must be a word without blanks'));
const seconds = z.int().min(1).max(TOKEN_SECONDS_MAX);

const drainShape = z.strictObject({
  url: z.url(),
  cert: z.string().default(''),
  key: z.string().default(''),
  ca: z.string().default(''),
});

const appShape = z.strictObject({
  name,
  guid: guid.optional(),
  state: z.enum(['STARTED', 'STOPPED']).default('STARTED'),
  lifecycle: z.enum(['buildpack', 'docker', 'cnb']).default('buildpack'),
  buildpacks: words.default([]),
  process_type: z.string().min(1).max(100).default('web'),
  instances: z.int().min(0).max(1000).default(1),
  memory_mb: z.int().min(1).default(256),
  disk_mb: z.int().min(1).default(1024),
  drains: z.array(drainShape).default([]),
});

const serviceShape = z.strictObject({
  name,
  guid: guid.optional(),
  type: z.enum(['managed', 'user-provided']).default('managed'),
});

const spaceShape = z.strictObject({
  name,
  guid: guid.optional(),
  apps: z.array(appShape).default([]),
  service_instances: z.array(serviceShape).default([]),
});

const organizationShape = z.strictObject({
  name,
  guid: guid.optional(),
  spaces: z.array(spaceShape).default([]),
});

const userShape = z.strictObject({
  name,
  password: z.string(),
  id: guid.optional(),
  email: z.string().optional(),
  scopes: words.default([]),
  spaces: z.array(z.string()).default([]),
});

const clientShape = z.strictObject({
  id: z.string().min(1).max(255),
  secret: z.string(),
  grant_types: z.array(z.enum(GRANT_TYPES)),
  scopes: words.default([]),
  authorities: words.default([]),
  access_token_validity: seconds.default(ACCESS_TOKEN_SECONDS),
  refresh_token_validity: seconds.default(REFRESH_TOKEN_SECONDS),
  spaces: z.array(z.string()).default([]),
});

const fileShape = z.strictObject({
  users: z.array(userShape).default([]),
  clients: z.array(clientShape).default([]),
  organizations: z.array(organizationShape).default([]),
});

type FileShape = z.infer<typeof fileShape>;
type SpaceShape = z.infer<typeof spaceShape>;

/** What the text describes. Throws a ModelError. */
export function parseModel(text: string): Model {
  const document = parseDocument(text);
  const unreadable = document.errors.map(({ message }) => message.replaceAll(/\s+/g, ' ').trim());
  if (unreadable.length > 0) throw new ModelError(unreadable);

  const parsed = fileShape.safeParse(contentOf(document));
  if (!parsed.success) {
    throw new ModelError(parsed.error.issues.map(({ path, message }) => told(path, message)));
  }
  const mistakes: string[] = [];
  const model = modelOf(parsed.data, mistakes);
  noteRepeated(model, mistakes);
  if (mistakes.length > 0) throw new ModelError(mistakes);
  return model;
}

/** An empty file is a platform with nothing; aliases past the library's limit are refused by it. */
function contentOf(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw new ModelError([error instanceof Error ? error.message : String(error)]);
  }
}

/** `organizations[0].spaces[1].name: must be …` */
function told(path: readonly PropertyKey[], message: string): string {
  const place = path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
  return place === '' ? message : `${place}: ${message}`;
}

function modelOf(file: FileShape, mistakes: string[]): Model {
  const organizations: Organization[] = [];
  const spaces: Space[] = [];
  const apps: App[] = [];
  const serviceInstances: ServiceInstance[] = [];
  for (const { name, guid, spaces: inside } of file.organizations) {
    const organization = { name, guid: guid ?? guidOf(`organization/${name}`) };
    organizations.push(organization);
    for (const shape of inside) {
      const space = spaceOf(shape, organization);
      spaces.push(space);
      apps.push(...appsOf(shape, space));
      serviceInstances.push(...serviceInstancesOf(shape, space));
    }
  }

  const byPath = new Map(
    spaces.map((space) => [`${space.organization.name}/${space.name}`, space]),
  );
  const spacesNamed = (paths: readonly string[], place: string): readonly Space[] =>
    paths.flatMap((path, index) => {
      const space = byPath.get(path);
      if (space) return [space];
      mistakes.push(
        `${place}.spaces[${index}]: there is no space ${path}; it is ORGANIZATION/SPACE`,
      );
      return [];
    });
  const users = file.users.map(
    (user, index): User => ({
      id: user.id ?? guidOf(`user/${user.name}`),
      name: user.name,
      password: user.password,
      email: user.email ?? user.name,
      scopes: [...new Set([...EVERY_USER, ...user.scopes])],
      spaces: spacesNamed(user.spaces, `users[${index}]`),
    }),
  );
  const clients = file.clients.map(
    (client, index): Client => ({
      id: client.id,
      secret: client.secret,
      grantTypes: client.grant_types,
      scopes: client.scopes,
      authorities: client.authorities,
      accessTokenSeconds: client.access_token_validity,
      refreshTokenSeconds: client.refresh_token_validity,
      spaces: spacesNamed(client.spaces, `clients[${index}]`),
    }),
  );
  return { users, clients, organizations, spaces, apps, serviceInstances };
}

function spaceOf({ name, guid }: SpaceShape, organization: Organization): Space {
  return { name, guid: guid ?? guidOf(`space/${organization.name}/${name}`), organization };
}

function appsOf(shape: SpaceShape, space: Space): readonly App[] {
  return shape.apps.map(({ guid, process_type, memory_mb, disk_mb, ...app }) => ({
    ...app,
    guid: guid ?? guidOf(`app/${app.name}`),
    space,
    processType: process_type,
    memoryMb: memory_mb,
    diskMb: disk_mb,
  }));
}

function serviceInstancesOf(shape: SpaceShape, space: Space): readonly ServiceInstance[] {
  return shape.service_instances.map(({ name, guid, type }) => ({
    name,
    guid: guid ?? guidOf(`service/${space.organization.name}/${space.name}/${name}`),
    space,
    type,
  }));
}

/** What must be told apart by a name or a GUID. */
function noteRepeated(model: Model, mistakes: string[]): void {
  const note = (what: string, keys: readonly string[], advice = ''): void => {
    for (const key of new Set(keys.filter((key, index) => keys.indexOf(key) !== index))) {
      mistakes.push(`there are several ${what} ${key}${advice}`);
    }
  };
  note(
    'users named',
    model.users.map(({ name }) => name),
  );
  note(
    'clients with the id',
    model.clients.map(({ id }) => id),
  );
  note(
    'organizations named',
    model.organizations.map(({ name }) => name),
  );
  note(
    'spaces named',
    model.spaces.map(({ name, organization }) => `${organization.name}/${name}`),
  );
  const { users, organizations, spaces, apps, serviceInstances } = model;
  const pathOf = (app: App): string =>
    `${app.space.organization.name}/${app.space.name}/${app.name}`;
  note('apps named', apps.map(pathOf));
  const guids = [...organizations, ...spaces, ...apps, ...serviceInstances].map(({ guid }) => guid);
  const ids = [...guids, ...users.map(({ id }) => id)];
  note('things with the GUID', ids, '; give one of them another guid');
}
