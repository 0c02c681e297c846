/**
 * Writes docs/algorithms.md from the tables of the code: which key can do what, and on which HSM. With --check it only says, by its exit
 * code, whether the page is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EncryptionAlgorithmSpec, KeyUsageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { profiles } from '../src/hsm/profiles/catalogue.ts'
import type { Profile } from '../src/hsm/profiles/profile.ts'
import { type Ability, type Lacks, lacksOfAll } from '../src/model/keys/ability.ts'
import { algorithmsOf, keySpecs, type SupportedKeySpec } from '../src/model/keys/key-spec.ts'
import { longestPlaintext } from '../src/model/keys/plaintext-limit.ts'
import { longestMessage, signingAlgorithms } from '../src/model/keys/signing-algorithm.ts'

const file = join(import.meta.dirname, '../docs/algorithms.md')
const shown: readonly Profile[] = [
  'softhsm2',
  'nss',
  'kryoptic',
  'cloudhsm',
  'luna7',
  'nshield',
  'utimaco',
  'yubihsm2',
].map(name => profiles.find(profile => profile.name === name)!)

/** Why not, or why perhaps not. */
function doubt({ lacks, mayLack }: Profile, ...abilities: readonly Ability[]): string | undefined {
  const all = [lacksOfAll as Lacks, lacks].flatMap(reasons => abilities.map(ability => reasons[ability]))
  if (all.some(reason => reason !== undefined)) return 'no'
  return abilities.some(ability => mayLack[ability] !== undefined) ? '?' : undefined
}

function cell(profile: Profile, spec: SupportedKeySpec, algorithm: Ability): string {
  const outside = algorithm === 'RSAES_OAEP_SHA_256' && !profile.oaepHashes.includes('sha256')
  return doubt(profile, spec, algorithm) ?? (outside ? 'worker' : 'yes')
}

function size(spec: SupportedKeySpec, usage: KeyUsageType, algorithm: Ability): string {
  if (usage === 'ENCRYPT_DECRYPT') return `1–${longestPlaintext(spec, algorithm as EncryptionAlgorithmSpec)}`
  if (usage === 'GENERATE_VERIFY_MAC') return `1–${longestMessage}`
  if (usage !== 'SIGN_VERIFY') return ''
  const { messages } = signingAlgorithms[algorithm as SigningAlgorithmSpec]
  return Object.entries(messages)
    .map(([type, bytes]) => (type === 'RAW' ? `RAW 1–${bytes}` : `${type} ${bytes}`))
    .join(', ')
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function tableRows(): string[] {
  const specs = Object.keys(keySpecs) as SupportedKeySpec[]
  return specs.flatMap(spec =>
    keySpecs[spec].usages.flatMap(usage =>
      algorithmsOf(spec, usage).map(algorithm => {
        const makes = shown.map(profile => cell(profile, spec, algorithm))
        return row([`\`${spec}\``, `\`${usage}\``, `\`${algorithm}\``, size(spec, usage, algorithm), ...makes])
      }),
    ),
  )
}

function reasons({ title, lacks, mayLack }: Profile): string[] {
  const grouped = Object.entries(Object.groupBy(Object.entries({ ...lacks, ...mayLack }), ([, reason]) => reason)) as [
    string,
    [string, string][],
  ][]
  return grouped.map(([reason, members]) =>
    row([title, members.map(([ability]) => `\`${ability}\``).join(', '), reason]),
  )
}

function page(): string {
  const pairs = shown.map(profile => doubt(profile, 'GenerateDataKeyPair') ?? 'yes')
  const heading = ['key spec', 'usage', 'algorithm', 'message bytes', ...shown.map(({ title }) => title)]
  const line = (cells: readonly unknown[]) => `|${cells.map(() => '---').join('|')}|`
  return `<!-- Written by scripts/algorithms.ts from the tables of the code: npm run catalogue. -->
# Algorithms

What each key spec supports, and on which HSM. **Only software tokens have been tested**: SoftHSM and NSS by all tests, Kryoptic where it is
installed. The other columns follow the vendors' documentation; run \`strongroom doctor\` to test your HSM.

\`yes\`: on the HSM. \`worker\`: the HSM does the RSA operation, and the worker removes the padding, unless \`allowSoftwareFallback\` is false.
\`no\`: refused with \`UnsupportedOperationException\`. \`?\`: depends on the device, see [reasons](#reasons). Messages are hashed by the worker; messages of type
\`EXTERNAL_MU\` are refused on every HSM. An HSM without \`SYMMETRIC_DEFAULT\` cannot be used: the gateway needs such keys itself.

${[row(heading), line(heading), ...tableRows()].join('\n')}
${row(['', '', '`GenerateDataKeyPair`', '', ...pairs])}

## Reasons

${[row(['HSM', 'not supported or uncertain', 'reason']), line([1, 2, 3]), ...everyone(), ...shown.flatMap(reasons)].join('\n')}
`
}

function everyone(): string[] {
  return Object.entries(lacksOfAll).map(([ability, reason]) => row(['all', `\`${ability}\``, reason]))
}

if (!process.argv.includes('--check')) writeFileSync(file, page())
else if (readFileSync(file, 'utf8') !== page()) {
  console.error('docs/algorithms.md is stale: run npm run catalogue.')
  process.exitCode = 1
}
