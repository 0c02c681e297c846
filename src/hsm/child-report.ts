/** The child's side of a process that runs once and reports to the gateway. */
import { closeSync, writeFileSync } from 'node:fs'
import { OperatorError } from '../errors.ts'
import type { Report } from './child.ts'

const gateway = 3

/** Runs the work with the argument from the command line, reports, and ends the process. */
export async function reportOn<A, T>(work: (argument: A) => T | Promise<T>): Promise<never> {
  let report: Report<T>
  try {
    report = { output: await work(JSON.parse(process.argv[2]!) as A) }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    report = { mistake: error instanceof OperatorError ? error.message : `The HSM failed: ${error.message}.` }
  }
  writeFileSync(gateway, JSON.stringify(report))
  closeSync(gateway)
  process.exit()
}
