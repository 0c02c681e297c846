import { SimulationError, simulate } from '../authorization/simulate.ts'
import { OperatorError } from '../errors.ts'
import { answerLines, LineError } from './answered-lines.ts'
import type { ConfigOptions } from './options.ts'
import type { AskedRequest } from './stored-request.ts'

export interface SimulateOptions extends ConfigOptions, Partial<AskedRequest> {
  readonly context: AskedRequest['context']
  readonly json?: boolean
}

/** Decides one request by the stored policies, or those on standard input by the policies that each brings along. */
export async function simulateCommand(options: SimulateOptions): Promise<void> {
  const { principal, action, resource } = options
  if (principal === undefined && action === undefined && resource === undefined) return simulateLines()
  if (principal === undefined || action === undefined) {
    throw new OperatorError('a request needs both --principal and --action', { exitCode: 2 })
  }
  const { simulateStored } = await import('./stored-simulation.ts')
  return simulateStored({ ...options, principal, action })
}

async function simulateLines(): Promise<void> {
  if (process.stdin.isTTY) {
    throw new OperatorError('give a --principal and an --action, or requests on standard input', { exitCode: 2 })
  }
  // Requests may come without end.
  process.stdout.on('error', () => process.exit(1))
  const { lines, failed } = await answerLines(process.stdin, process.stdout, answer)
  if (failed > 0) throw new OperatorError(`${failed} of ${lines} lines are not valid requests: see their answers`)
}

function answer(line: string): string {
  try {
    return JSON.stringify(simulate(line))
  } catch (thrown) {
    if (thrown instanceof SimulationError) throw new LineError(thrown.message)
    throw thrown
  }
}
