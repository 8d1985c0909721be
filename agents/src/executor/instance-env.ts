/** The environment of an instance: what Cloud Foundry gives to the instances of an app. */

import type { App } from './app.ts';

const MIB = 1024 * 1024;
const ADDRESS = '127.0.0.1';
const FILE_DESCRIPTORS = 16_384;

/** The variable that marks all processes of an instance, whatever they start. */
export const INSTANCE_GUID_VARIABLE = 'CF_INSTANCE_GUID';

export interface InstanceFacts {
  readonly app: App;
  readonly index: number;
  readonly guid: string;
  readonly port: number;
}

/** `inherited` comes first, then what the cell gives, then what the app's description asks for. */
export function instanceEnv(
  facts: InstanceFacts,
  inherited: Readonly<NodeJS.ProcessEnv>,
): NodeJS.ProcessEnv {
  const { app, index, guid, port } = facts;
  return {
    ...inherited,
    PORT: String(port),
    MEMORY_LIMIT: `${Math.floor(app.memoryQuotaBytes / MIB)}m`,
    INSTANCE_INDEX: String(index),
    INSTANCE_GUID: guid,
    CF_INSTANCE_INDEX: String(index),
    CF_INSTANCE_IP: ADDRESS,
    CF_INSTANCE_INTERNAL_IP: ADDRESS,
    CF_INSTANCE_PORT: String(port),
    CF_INSTANCE_ADDR: `${ADDRESS}:${port}`,
    CF_INSTANCE_PORTS: JSON.stringify([{ external: port, internal: port }]),
    VCAP_APPLICATION: JSON.stringify(vcapApplication(facts)),
    VCAP_SERVICES: '{}',
    ...app.env,
    [INSTANCE_GUID_VARIABLE]: guid, // By it the instance's processes are found again.
  };
}

function vcapApplication({ app, index, guid, port }: InstanceFacts): Record<string, unknown> {
  return {
    application_id: app.guid,
    application_name: app.name,
    application_uris: [`${ADDRESS}:${port}`],
    host: ADDRESS,
    instance_id: guid,
    instance_index: index,
    limits: {
      disk: Math.floor(app.diskQuotaBytes / MIB),
      fds: FILE_DESCRIPTORS,
      mem: Math.floor(app.memoryQuotaBytes / MIB),
    },
    name: app.name,
    organization_id: app.organizationId,
    organization_name: app.organizationName,
    port,
    process_id: app.guid,
    process_type: app.processType,
    space_id: app.spaceId,
    space_name: app.spaceName,
    uris: [`${ADDRESS}:${port}`],
  };
}
