/** The members of a request and its response that stand in its audit record. */
import type { Api } from '../apis/api.ts'
import type { AnyOperation } from '../operations/operation.ts'
import type { Entry } from '../services.ts'

/** By member: there are few, and the same ones come back with every request. */
const lowerCamelNames = new Map<string, string>()

function lowerCamel(member: string): string {
  const known = lowerCamelNames.get(member)
  if (known !== undefined) return known
  const name = member[0]!.toLowerCase() + member.slice(1)
  lowerCamelNames.set(member, name)
  return name
}

/** Members by their names in audit records: lowerCamel. */
export function recordedMembers(
  api: Api,
  operation: AnyOperation,
  part: 'input' | 'output',
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { recorded, recordedDefaults, recordedOutput = [] } = operation
  const members = part === 'input' ? recorded : recordedOutput
  const defaults = part === 'input' ? recordedDefaults?.(values) : undefined
  const kept: Record<string, unknown> = {}
  for (const member of members) {
    const value = values[member] ?? defaults?.[member]
    if (value === undefined) continue
    kept[lowerCamel(member)] = api.recorded === undefined ? value : api.recorded(operation, part, member, value)
  }
  return kept
}

export function responseElements(api: Api, operation: AnyOperation, output: object | undefined, { resources }: Entry) {
  if (operation.readOnly && !operation.recordedOutput) return undefined
  const { recordedResource } = operation
  const resource = resources?.[0]
  const named = recordedResource !== undefined && resource !== undefined && { [recordedResource]: resource }
  return { ...named, ...recordedMembers(api, operation, 'output', (output ?? {}) as Record<string, unknown>) }
}
