/** `hsms` of the configuration. */
import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { duration } from '../quantities.ts'
import { clusterId } from './custom-key-stores.ts'

export const hsmName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'not a valid name: use lower-case letters, digits and dashes')

// Not a union, which says what is wrong only where one of its members is nearly right.
export const countOrAuto = z.custom<number | 'auto'>(
  value => value === 'auto' || z.int().min(1).max(64).safeParse(value).success,
  'use auto, or a whole number from 1 to 64',
)

const token = z
  .strictObject({ label: z.string().optional(), serial: z.string().optional() })
  .refine(({ label, serial }) => (label === undefined) !== (serial === undefined), 'set either label or serial')

/** Settings of one token of a cluster. */
const member = z.strictObject({
  library: z.string().exactOptional(),
  libraryParameters: z.string().optional(),
  token: token.optional(),
  pinFile: z.string().optional(),
  pinVariable: z.string().optional(),
  environment: z.record(z.string(), z.string()).exactOptional(),
})

export const hsm = z
  .strictObject({
    profile: z.string(),
    library: z.string(),
    libraryParameters: z.string().optional(),
    token,
    /** Of a custom key store. */
    clusterId: clusterId.optional(),
    pinFile: z.string().optional(),
    pinVariable: z.string().optional(),
    members: z.record(hsmName, member).optional(),
    workers: countOrAuto.default('auto'),
    sessionsPerWorker: z.int().min(1).max(1024).optional(),
    maxQueuedCalls: z.int().min(1).default(1000),
    callTimeout: duration('1ms', '1h').prefault('2s'),
    publicKeyOperations: z.enum(['hsm', 'gateway']).default('hsm'),
    allowSoftwareFallback: z.boolean().default(true),
    strictCustody: z.boolean().default(false),
    environment: z.record(z.string(), z.string()).default({}),
  })
  .refine(
    ({ clusterId, pinFile, pinVariable }) =>
      clusterId !== undefined || (pinFile === undefined) !== (pinVariable === undefined),
    'set either pinFile or pinVariable',
  )
  .refine(
    ({ clusterId, members = {}, ...hsm }) => clusterId === undefined || ![hsm, ...Object.values(members)].some(hasPin),
    'an HSM with a clusterId has no pinFile and no pinVariable: its PIN is the password of the custom key store',
  )

function hasPin({ pinFile, pinVariable }: Pick<z.infer<typeof member>, 'pinFile' | 'pinVariable'>): boolean {
  return (pinFile ?? pinVariable) !== undefined
}

export type HsmConfig = z.infer<typeof hsm>
export type MemberConfig = z.infer<typeof member>

/** @param absolute makes a path absolute. A profile is a name, or a file. */
export function withAbsoluteHsmFiles(hsm: HsmConfig, absolute: (path: string) => string): HsmConfig {
  const profile = /^\.{0,2}\//.test(hsm.profile) ? absolute(hsm.profile) : hsm.profile
  const members = hsm.members && mapValues(hsm.members, member => withAbsoluteFiles(member, absolute))
  return { ...withAbsoluteFiles(hsm, absolute), profile, members }
}

/** Passes variables that hold a PIN to the workers. Throws OperatorError for one that is not set. */
export function withPins(hsm: HsmConfig): HsmConfig {
  const { environment, members } = hsm
  return { ...withPin(hsm), members: members && mapValues(members, member => withPin({ environment, ...member })) }
}

function withPin<T extends Pick<MemberConfig, 'pinVariable' | 'environment'>>(part: T): T {
  const { pinVariable, environment } = part
  if (pinVariable === undefined) return part
  const pin = process.env[pinVariable]
  if (pin === undefined) throw new OperatorError(`environment variable ${pinVariable} is not set: it must hold the PIN`)
  return { ...part, pinFile: undefined, environment: { ...environment, [pinVariable]: pin } }
}

type Files = Pick<MemberConfig, 'pinFile' | 'environment'>

/** Makes paths absolute; a variable is a path if it begins with ./ or ../. */
function withAbsoluteFiles<T extends Files>(part: T, absolute: (path: string) => string): T {
  const { pinFile, environment } = part
  const value = (text: string) => (/^\.{1,2}\//.test(text) ? absolute(text) : text)
  return {
    ...part,
    ...(pinFile !== undefined && { pinFile: absolute(pinFile) }),
    ...(environment && { environment: mapValues(environment, value) }),
  }
}

export function mapValues<T>(record: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
