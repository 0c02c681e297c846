import { addExport, addQuery, addTail } from './audit-records-options.ts'
import { addRotateKey } from './audit-rotate-key.ts'
import { addVerify } from './audit-verify-options.ts'
import { command } from './command.ts'

export const audit = command(program => {
  const group = program
    .command('audit')
    .description('verify and read the audit journal; rotate its key')
    .helpCommand(false)
  addExport(group)
  addQuery(group)
  addRotateKey(group)
  addTail(group)
  addVerify(group)
})
