/** Appends to the journal named on the command line, whose segments are small, 16 at a time, and prints the number of each record once it is durable. */
import { writeSync } from 'node:fs'
import { aRecord, openAt } from './records.ts'

const journal = await openAt(process.argv[2]!, { maxSize: 50_000 })
let next = Number(process.argv[3]!)

async function appendForEver(): Promise<never> {
  for (;;) {
    const number = next++
    await journal.append(aRecord(number))
    writeSync(1, `${number}\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, appendForEver))
