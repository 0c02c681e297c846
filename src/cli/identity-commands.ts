/** `strongroom identity user`, `role`, `group`, `policy` and `oidc-provider`: one of each by its name. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { type Kind, kinds, type Member } from './identity-members.ts'
import {
  administer,
  collect,
  type IdentityOptions,
  print,
  printColumns,
  printJson,
  readText,
  shownTime,
  withAccountOption,
} from './identity-options.ts'

export function addIdentityCommands(identity: Command): void {
  for (const kind of Object.keys(kinds) as Kind[]) addKind(identity, kind)
}

/** False for an option --no-... */
type Given = IdentityOptions & Readonly<Record<string, string | readonly string[] | boolean | undefined>>

function addKind(identity: Command, kind: Kind): void {
  const { command, what } = kinds[kind]
  const hasSessions = kind === 'role' || kind === 'user'
  const verbs = `create, update, delete, list${hasSessions ? ', revoke-sessions' : ''}`
  const group = identity.command(command).description(`${what}: ${verbs}`).helpCommand(false)
  addCreate(group, kind)
  addUpdate(group, kind)
  withAccountOption(group.command('delete'))
    .description(`delete ${article(command)}`)
    .argument('<name>')
    .action((name: string, options: IdentityOptions) =>
      administer(options, call => call('DeleteIdentity', { account: options.account, kind, name })),
    )
  withAccountOption(group.command('list'))
    .description('list them, or show one')
    .argument('[name]')
    .option('--json', 'print everything as JSON')
    .action((name: string | undefined, options: IdentityOptions) => list(kind, name, options))
  if (hasSessions) addRevocation(group, kind)
}

function addCreate(group: Command, kind: Kind): void {
  const { command, members } = kinds[kind]
  const create = withAccountOption(group.command('create'))
    .description(`create ${article(command)}`)
    .argument('<name>')
  for (const member of members) addMember(create, member, member.mandatory ?? false)
  create.action((name: string, options: Given) =>
    administer(options, async call => {
      const entry = valuesOf(options, members, ['value', 'values', 'pairs'])
      const { account } = options
      print((await call<{ readonly arn: string }>('CreateIdentity', { account, kind, name, entry })).arn)
    }),
  )
}

function addUpdate(group: Command, kind: Kind): void {
  const { command } = kinds[kind]
  const update = withAccountOption(group.command('update'))
    .description(`change ${article(command)}: what is given is set, or added to a list`)
    .argument('<name>')
  // The path stands in the ARN, by which policies name it.
  const members = kinds[kind].members.filter(({ member }) => member !== 'path')
  for (const member of members) {
    addMember(update, member, false)
    const name = longName(member)
    if (member.holds !== 'value') addRemoval(update, member)
    else if (!member.mandatory) update.option(`--no-${name}`, `have no ${name.replaceAll('-', ' ')}`)
  }
  update.action((name: string, options: Given) =>
    administer(options, async call => {
      const edits = {
        set: valuesOf(options, members, ['value']),
        unset: members.filter(member => options[keyOf(member)] === false).map(({ member }) => member),
        add: valuesOf(options, members, ['values', 'pairs']),
        remove: removalsOf(options, members),
      }
      const changed = { account: options.account, kind, name, edits }
      const { differences } = await call<{ readonly differences: readonly string[] }>('UpdateIdentity', changed)
      for (const difference of differences) print(difference)
    }),
  )
}

function addRevocation(group: Command, kind: Kind): void {
  withAccountOption(group.command('revoke-sessions'))
    .description('make all sessions invalid that were issued until now')
    .argument('<name>')
    .action((name: string, options: IdentityOptions) =>
      administer(options, async call => {
        const { revokedBefore } = await call<{ readonly revokedBefore: number }>('RevokeSessions', {
          account: options.account,
          kind,
          name,
        })
        print(`sessions issued until ${shownTime(revokedBefore)} are invalid`)
      }),
    )
}

async function list(
  kind: Kind,
  name: string | undefined,
  { account, json, ...options }: IdentityOptions,
): Promise<void> {
  await administer(options, async call => {
    const { identities } = await call<{
      readonly identities: readonly { readonly name: string; readonly arn: string; readonly owner?: string }[]
    }>('ListIdentities', { account, kind, name })
    if (json || name !== undefined) return printJson(name === undefined ? identities : identities[0])
    printColumns(identities.map(({ name, arn, owner }) => [name, arn, owner === 'file' ? '(of a file)' : '']))
  })
}

function longName({ flags }: Member): string {
  return /--([\w-]+)/.exec(flags)![1]!
}

/** As commander names an option. */
function keyOf(member: Member): string {
  return longName(member).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

function addMember(command: Command, { flags, description, holds }: Member, mandatory: boolean): void {
  const add = mandatory ? command.requiredOption.bind(command) : command.option.bind(command)
  if (holds === 'value') add(flags, description)
  else add(flags, description, holds === 'pairs' ? collectPairs : collect)
}

function addRemoval(command: Command, member: Member): void {
  const what = member.holds === 'pairs' ? '<name>' : '<value>'
  command.option(`--remove-${longName(member)} ${what}`, `take one away; may be repeated`, collect)
}

function collectPairs(value: string, previous?: readonly string[]): readonly string[] {
  if (!/^[^=]+=/.test(value)) throw new InvalidArgumentError('A name and its value are joined by "=".')
  return collect(value, previous)
}

function valuesOf(
  options: Given,
  members: readonly Member[],
  holding: readonly Member['holds'][],
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const member of members.filter(({ holds }) => holding.includes(holds))) {
    const value = options[keyOf(member)]
    if (value === undefined || typeof value === 'boolean') continue
    values[member.member] = inputOf(member, value)
  }
  return values
}

function inputOf({ holds, isFile }: Member, value: string | readonly string[]): unknown {
  const read = isFile ? readText : (text: string) => text
  if (holds === 'value') return read(value as string)
  if (holds === 'values') return value
  const pairs = (value as readonly string[]).map(pair => {
    const end = pair.indexOf('=')
    return [pair.slice(0, end), read(pair.slice(end + 1))] as const
  })
  return Object.fromEntries(pairs)
}

function removalsOf(options: Given, members: readonly Member[]): Record<string, readonly string[]> {
  const removals: Record<string, readonly string[]> = {}
  for (const member of members) {
    const name = keyOf(member)
    const value = options[`remove${name[0]!.toUpperCase()}${name.slice(1)}`]
    if (Array.isArray(value)) removals[member.member] = value as readonly string[]
  }
  return removals
}

/** A noun with its article. */
function article(noun: string): string {
  return `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`
}
