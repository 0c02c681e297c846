import type { Command } from 'commander'

/** Adds one command to the command line. */
export type AddCommand = (program: Command) => void

export function command(add: AddCommand): AddCommand {
  return add
}
