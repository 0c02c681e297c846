import { command } from './command.ts'
import { addAccessKeyCommands } from './identity-access-keys.ts'
import { addAccountCommands } from './identity-accounts.ts'
import { addIdentityCommands } from './identity-commands.ts'
import { addFileCommands } from './identity-file.ts'
import { addService } from './identity-service.ts'

export const identity = command(program => {
  const group = program
    .command('identity')
    .description('who may call: accounts, users, roles, policies, access keys; by hand, or from a file')
    .helpCommand(false)
  addFileCommands(group)
  addAccountCommands(group)
  addIdentityCommands(group)
  addAccessKeyCommands(group)
  addService(group)
})
