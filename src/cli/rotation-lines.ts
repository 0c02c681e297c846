/** What `strongroom rotate` has done, and what is left to do. */
import { keySpecs, type SupportedKeySpec } from '../model/keys/key-spec.ts'
import { wrappingAlgorithmsOf } from '../model/keys/wrapping-algorithm.ts'
import type { ShownKey } from '../operations/administration/aliases.ts'
import type { RotatedAlias } from '../operations/administration/rotate-alias.ts'
import { shellQuoted } from '../shell-quoted.ts'
import { print, printColumns, shownTime } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'

export function printRotation(
  rotated: RotatedAlias,
  { dryRun, ...options }: ConfigOptions & { dryRun?: boolean },
): void {
  const { aliasArn, formerKey, newKey } = rotated
  printColumns([
    ['alias', aliasArn, ''],
    ['old key', formerKey.arn, described(formerKey)],
    ...(newKey ? [['new key', newKey.arn, described(newKey)]] : []),
  ])
  if (dryRun) print(`Dry run: nothing was changed. ${intended(rotated)}`)
  else for (const line of rotated.moved ? movedLines(rotated, options) : importLines(rotated, options)) print(line)
}

function described({ spec, usage, origin, state }: ShownKey): string {
  return [spec, usage, ...(origin === 'EXTERNAL' ? ['imported'] : []), state].join(', ')
}

function intended({ created, moved }: RotatedAlias): string {
  if (created) {
    const then = moved ? 'and the alias would name it' : 'and its key material would have to be imported next'
    return `A new key like the old one would be created, ${then}.`
  }
  return moved ? 'The alias would name the new key.' : 'The key material of the new key is still to be imported.'
}

function movedLines(
  { aliasArn, formerKey, otherAliases, aliasesElsewhere }: RotatedAlias,
  options: ConfigOptions,
): readonly string[] {
  const { grants } = formerKey
  return [
    `The alias now names the new key. ${outlook(formerKey)}`,
    ...(grants > 0 ? [`The new key has no grants; the old one has ${grants}.`] : []),
    ...(otherAliases.length > 0 ? [`The old key keeps its other aliases: ${otherAliases.join(', ')}.`] : []),
    ...(aliasesElsewhere.length > 0
      ? [
          'In other regions the alias still names the old key. The new key is there as well:',
          ...aliasesElsewhere.map(arn => `  ${rotateCommand(arn, options)}`),
        ]
      : []),
    'To see who still uses the old key:',
    `  ${rotateCommand(aliasArn, options)} --report`,
  ]
}

/** What becomes of that which the old key has encrypted, signed or authenticated. */
function outlook({ state, deletionDate }: ShownKey): string {
  switch (state) {
    case 'PendingDeletion':
      return `The old key will be deleted on ${shownTime(deletionDate!)}: what was made with it cannot be decrypted or verified then.`
    case 'Enabled':
      return 'Keep the old one enabled to decrypt and verify what was made with it.'
    default:
      return `The old key is not enabled (${state}): until it is, what was made with it cannot be decrypted or verified.`
  }
}

function importLines({ aliasArn, newKey, pendingImport }: RotatedAlias, options: ConfigOptions): readonly string[] {
  const { spec } = newKey!
  const { type, macAlgorithms } = keySpecs[spec]
  const bits = type === 'HMAC' ? Number(macAlgorithms[0]!.slice(-3)) : 256
  const what = type === 'asymmetric' ? `a private key (${spec}) in PKCS #8 DER` : `${bits / 8} random bytes`
  const others = pendingImport.length > 1 ? ', the same into each region' : ''
  return [
    `The alias still names the old key, as the new one has no key material yet. Import ${what}${others}:`,
    ...pendingImport.flatMap(arn => importCommands(arn, spec)),
    'docs/import.md shows the steps between these two. Then point the alias at the new key:',
    `  ${rotateCommand(aliasArn, options)}`,
  ]
}

function importCommands(arn: string, spec: SupportedKeySpec): readonly string[] {
  const [, , , region, , resource] = arn.split(':')
  const key = `--region ${region} --key-id ${resource!.slice('key/'.length)}`
  const wrapping = wrappingAlgorithmsOf(spec).at(-1)
  return [
    `  aws kms get-parameters-for-import ${key} --wrapping-key-spec RSA_3072 --wrapping-algorithm ${wrapping}`,
    `  aws kms import-key-material ${key} --import-token fileb://import-token --encrypted-key-material fileb://wrapped.bin --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE`,
  ]
}

function rotateCommand(aliasArn: string, { data, config }: ConfigOptions): string {
  const folder = data === './data' ? '' : ` --data ${shellQuoted(data)}`
  const file = config === undefined ? '' : ` --config ${shellQuoted(config)}`
  return `strongroom rotate ${aliasArn}${folder}${file}`
}
