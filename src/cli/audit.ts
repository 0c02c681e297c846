import { addVerify } from './audit-verify-options.ts'
import { command } from './command.ts'

export const audit = command(program => {
  const group = program.command('audit').description('verify and read the audit journal').helpCommand(false)
  addVerify(group)
})
