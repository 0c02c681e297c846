import { command } from './command.ts'
import { addService } from './identity-service.ts'

export const identity = command(program => {
  const group = program.command('identity').description('who may call').helpCommand(false)
  addService(group)
})
