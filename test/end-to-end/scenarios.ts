/** docs/scenarios.md as data: principals, policies, commands, and the tables of who may do what. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Identity } from './identities.ts'

export const page = readFileSync(join(import.meta.dirname, '../../docs/scenarios.md'), 'utf8')

export interface Scenario {
  readonly heading: string
  readonly commands: readonly string[]
  readonly rows: readonly Row[]
}

/** One call, and what becomes of it. */
export interface Row {
  /** Profile. */
  readonly caller: string
  readonly call: string
  /** `allowed`, a name of a refusal, or an error. */
  readonly outcome: string
  /** One of those in the audit record of a refusal. */
  readonly reason: string
}

/** Cells of the table with this heading row, in the text. */
function tableOf(heading: string, text: string): readonly (readonly string[])[] {
  const [, table = ''] = text.split(`| ${heading} |\n`)
  const lines = table.split('\n\n')[0]!.split('\n').slice(1)
  return lines
    .filter(line => line.startsWith('|'))
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
}

const unquoted = (cell: string) => cell.replaceAll('`', '')

function blocksOf(language: string, text: string): readonly { name: string; code: string }[] {
  const fences = text.matchAll(new RegExp(`^\`\`\`${language} ?(.*)\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))
  return [...fences].map(([, name, code]) => ({ name: name!, code: code! }))
}

const sections = page.split(/^## /m)

export const scenarios: readonly Scenario[] = sections
  .map(section => ({
    heading: section.split('\n')[0]!,
    commands: blocksOf('sh', section).map(({ code }) => code),
    rows: tableOf('Caller | Call | Outcome | Reason', section).map(([caller, call, outcome, reason]) => ({
      caller: unquoted(caller!),
      call: call!,
      outcome: outcome!,
      reason: reason!,
    })),
  }))
  .filter(({ rows }) => rows.length > 0)

/** The commands that come before all scenarios. */
export const preparation = blocksOf('sh', sections[0]!).map(({ code }) => code)

/** Texts of policies by the names of their files. */
export const policies = new Map(blocksOf('json', page).map(({ name, code }) => [name, code]))

/** Programs that the commands run, by the names of their files. */
export const programs = new Map(blocksOf('js', page).map(({ name, code }) => [name, code]))

/** Who has which identity-based policy: `everything`, `none` or the name of a file. */
export const profiles = tableOf('Profile | Principal | Identity-based policy', page).map(([profile, arn, policy]) => {
  const [, account, type, name] = /^arn:aws:iam::(\d+):(user|role)\/(.+)$/.exec(unquoted(arn!))!
  return { profile: unquoted(profile!), account: account!, type: type!, name: name!, policy: unquoted(policy!) }
})

/** Names of refusals by their texts, in which words in capitals stand for what differs. */
export const refusals = new Map(tableOf('Refused | Text', page).map(([name, text]) => [text!, name!]))

/** The key policies that the commands put. */
export const puts = [
  ...page.matchAll(/put-key-policy --profile (\w+) --key-id "\$(\w+)" --policy file:\/\/([\w.-]+)/g),
].map(([, profile, key, file]) => ({ profile: profile!, key: key!, file: file! }))

/** The file of the AWS CLI with all profiles. */
export function credentialsFile(of: (profile: string) => Identity['credentials']): string {
  const sections = profiles.map(({ profile }) => {
    const { accessKeyId, secretAccessKey, sessionToken } = of(profile)
    const lines = [`aws_access_key_id = ${accessKeyId}`, `aws_secret_access_key = ${secretAccessKey}`]
    return [`[${profile}]`, ...lines, ...(sessionToken ? [`aws_session_token = ${sessionToken}`] : [])].join('\n')
  })
  return `${sections.join('\n')}\n`
}
