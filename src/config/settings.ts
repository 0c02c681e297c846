/** The settings of a gateway for its audit records: never a secret. */
import type { Config } from '../config.ts'

/** Recorded values, as text, by the names of the settings: `listen.port`. */
export type Settings = Readonly<Record<string, string>>

/** Recorded for the value of a setting that may be a secret. */
const hidden = '(not recorded)'

/**
 * Settings whose text is recorded, by the last part of their names, and those under `regions`; numbers and booleans always are. Text that
 * nobody has thought of here may be a secret.
 */
const shown =
  /^(?:gateway|processes)$|^storage\.postgres\.(?:database|user|schema|tls\.mode)$|^regions\.|\.header(?:File|Variable)s\.|\.(?:\w*(?:file|variable)|host|socket|profile|library|label|serial|workers|publicKeyOperations|account|accessKeyId|hostNames|region|hsm|level|type|bucket|prefix|start|facility|currency|transfers|clusterId|passwords)$/i
/** Of these, only the origin: the rest may be a secret. */
const urls = /\.(?:url|endpoint)$/
/** Sections whose members the operator names. */
const named = /\.(?:environment|accessKeys)\./

/** Every setting, defaults included. */
export function settingsOf({ otherJournals: _, ...config }: Config): Settings {
  const settings: Record<string, string> = {}
  for (const [name, value] of leaves(config)) settings[name] = recorded(name, value)
  return settings
}

export interface SettingChange {
  readonly setting: string
  /** Undefined for a setting that was not there; */
  readonly from: string | undefined
  /** and for one that no longer is. */
  readonly to: string | undefined
}

/** In order of name. */
export function settingChanges(before: Settings, after: Settings): readonly SettingChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  const changes = names.map(setting => ({ setting, from: before[setting], to: after[setting] }))
  return changes.filter(({ from, to }) => from !== to)
}

function* leaves(value: object, prefix = ''): Generator<[name: string, value: unknown]> {
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    if (member === undefined) continue
    if (isSection(member)) yield* leaves(member, `${prefix}${name}.`)
    else yield [`${prefix}${name}`, member]
  }
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function recorded(name: string, value: unknown): string {
  if (named.test(name)) return hidden
  if (typeof value === 'string' && urls.test(name)) return `${new URL(value).origin}/...`
  const isText = typeof value === 'string' || Array.isArray(value)
  return !isText || shown.test(name) ? text(value) : hidden
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
