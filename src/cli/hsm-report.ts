/** What doctor found out about an HSM, for people to read. */
import { mostSessions, type Survey, type Trial } from '../hsm/doctor/findings.ts'
import type { HsmReport } from '../hsm/doctor/inspect.ts'

export function reportPage(name: string, report: HsmReport): string {
  const { library, tokens, token, pin, mechanisms, survey, keys, problems } = report
  const lines: [string, string | number | undefined][] = [
    [
      'library',
      library &&
        `${library.description}, ${library.manufacturer}, version ${library.version}, PKCS#11 ${library.cryptokiVersion}`,
    ],
    ['tokens', tokens?.map(({ label, serial }) => `${label} (serial ${serial})`).join(', ')],
    ['token', token && `${token.label} (serial ${token.serial})`],
    ['PIN', pin],
    ['mechanisms', mechanisms?.length],
    ['keys', keys],
    ...(survey ? surveyLines(survey) : []),
    ...problems.map((problem): [string, string] => ['problem', problem]),
  ]
  const known = lines.filter(([, value]) => value !== undefined)
  const tables = survey ? [works(survey), fails(survey)].filter(rows => rows.length > 1) : []
  return [`${name}\n${aligned(known)}`, ...tables.map(aligned)].join('\n')
}

const ivs = {
  caller: '12 bytes, drawn from its generator by the caller',
  writeback12: '12 bytes, made by the HSM, written back',
  prepend12: '12 bytes, made by the HSM, before the ciphertext',
  append16: '16 bytes, made by the HSM, behind the tag',
} as const

function surveyLines(survey: Survey): [string, string | undefined][] {
  const { gcm, longestAad, tellsLocal, sessions, latency } = survey
  return [
    ['IV of AES-GCM', gcm && `${ivs[gcm.iv]} (mechanism 0x${gcm.mechanism.toString(16)})`],
    ['longest AAD', gcm && `${longestAad} bytes tried`],
    ['RSAES-OAEP', oaep(survey)],
    ['CKA_LOCAL', tellsLocal ? undefined : 'not true of a key that was made on the HSM, so it is not asked of any'],
    ['sessions', sessions === mostSessions ? `${sessions} or more` : `${sessions}`],
    [
      'latency',
      latency &&
        `${milliseconds(latency.init)} ms to begin an operation, ${milliseconds(latency.operation)} ms to end it`,
    ],
  ]
}

function oaep({ oaepHashes, trials }: Survey): string {
  const hashes = { RSAES_OAEP_SHA_1: 'sha1', RSAES_OAEP_SHA_256: 'sha256' } as const
  const worker = Object.entries(hashes).filter(
    ([name, hash]) => !oaepHashes.includes(hash) && trials.some(({ works }) => works.some(work => work === name)),
  )
  const outside = worker.map(([, hash]) => `${hash} where the worker takes away the padding`)
  return [...oaepHashes, ...outside].join(', ') || 'none'
}

function works({ trials }: Survey): readonly string[][] {
  const header = ['key spec', 'usage', 'p50 ms', 'p99 ms', 'works']
  return [header, ...trials.filter(({ works }) => works.length > 0).map(row)]
}

function row({ spec, usage, works, fails, latency }: Trial): string[] {
  const times = [latency!.p50, latency!.p99].map(milliseconds)
  return [spec, usage, ...times, Object.keys(fails).length === 0 ? 'all' : works.join(', ')]
}

function fails({ lacks }: Survey): readonly string[][] {
  return [['does not work', 'because'], ...Object.entries(lacks)]
}

function milliseconds(value: number): string {
  return value.toFixed(value < 1 ? 3 : 1)
}

/** Columns as wide as their widest cell; the last one as it is. */
function aligned(rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map(row => row.map(String))
  const width = (column: number) => Math.max(...cells.map(row => row[column]!.length))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(width(column)))).join('  ')
  return cells.map(row => `  ${line(row)}\n`).join('')
}
