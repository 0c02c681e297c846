/** Emulator mode: its settings, and where it may be switched on. */
import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { firstRegion, region } from './region.ts'
import { isLoopback } from './urls.ts'

export const emulator = z.strictObject({
  account: z
    .string()
    .regex(/^\d{12}$/, 'not an account ID of 12 digits')
    .default('000000000000'),
  verify: z.boolean().default(false),
  accessKeys: z.record(z.string(), z.string()).default({ test: 'test' }),
  enforce: z.boolean().default(true),
  hostNames: z.array(z.string()).default(['localhost.localstack.cloud', 'host.docker.internal']),
  allowWebPages: z.boolean().default(false),
  allowRemoteClients: z.boolean().default(false),
  seed: z.strictObject({ file: z.string(), region: region.prefault(firstRegion) }).exactOptional(),
  spareRsaKeys: z.int().min(0).max(100).default(4),
})

export type EmulatorConfig = z.infer<typeof emulator>

export interface EmulatorOverrides {
  /** Switches the mode on, with the settings of the file or their defaults. */
  readonly emulator?: boolean | undefined
  readonly allowRemoteClients?: boolean | undefined
}

/** Throws OperatorError for an option of this mode if it is off. */
export function withEmulator(
  written: EmulatorConfig | undefined,
  { emulator: isOn = false, allowRemoteClients }: EmulatorOverrides,
): EmulatorConfig | undefined {
  const settings = written ?? (isOn ? emulator.parse({}) : undefined)
  if (settings !== undefined) {
    return { ...settings, allowRemoteClients: allowRemoteClients ?? settings.allowRemoteClients }
  }
  if (allowRemoteClients) throw new OperatorError('--allow-remote-clients is for emulator mode: use --emulator, too')
  return undefined
}

/** Throws OperatorError unless only this machine can call, or that is said twice: everybody is an administrator. */
export function checkExposure(emulator: EmulatorConfig | undefined, host: string): void {
  if (emulator === undefined || emulator.allowRemoteClients || isLoopback(host)) return
  throw new OperatorError(
    `emulator mode lets everybody in who can reach ${host}: listen on 127.0.0.1, or set emulator.allowRemoteClients too`,
  )
}
