import { command } from './command.ts'
import { addCredentialCommands } from './xks-credentials.ts'
import { addKeyCommands } from './xks-keys.ts'
import { addPrefixCommands } from './xks-prefixes.ts'

export const xks = command(program => {
  const group = program
    .command('xks')
    .description('keys for external key stores: prefixes, credentials and external keys of the XKS proxy')
    .helpCommand(false)
  addPrefixCommands(group)
  addCredentialCommands(group)
  addKeyCommands(group)
})
