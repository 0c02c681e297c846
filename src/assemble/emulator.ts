/** What the start of emulator mode does. */
import type { EmulatorConfig } from '../config/emulator.ts'
import type { Log } from '../log.ts'
import { readSeed } from '../seed-file.ts'
import { Changes } from '../storage/storage.ts'
import { createSeedKeys } from '../vault/seed-keys.ts'

type Means = Parameters<typeof createSeedKeys>[2] & { readonly log: Log }

/** Puts on record that anybody may have called from now on, and creates the keys of the seed file. */
export async function startEmulator(
  { account, verify, enforce, allowRemoteClients, seed }: EmulatorConfig,
  means: Means,
): Promise<void> {
  means.log.warn({ event: 'emulator_mode' }, 'Emulator mode: everybody who can reach the gateway is an administrator')
  const details = { account, verify, enforce, allowRemoteClients }
  await means.outbox.record(new Changes(), means.audit.event('StartEmulator', undefined, details))
  if (seed) await createSeedKeys(readSeed(seed.file), { account, region: seed.region }, means)
}
