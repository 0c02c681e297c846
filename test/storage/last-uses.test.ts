import { beforeEach, expect, it } from 'vitest'
import { LastUses } from '../../src/storage/last-uses.ts'

interface Use {
  readonly of: string
  readonly at: number
}

let written: (readonly Use[])[]
let onWrite: () => void
let uses: LastUses<Use>
beforeEach(() => {
  written = []
  onWrite = () => {}
  uses = new LastUses(
    ({ of }) => of,
    async batch => {
      onWrite()
      written.push(batch)
    },
  )
})

it('writes the last use of each once', async () => {
  uses.record({ of: 'first', at: 1 })
  uses.record({ of: 'second', at: 2 })
  uses.record({ of: 'first', at: 3 })
  await uses.write()
  await uses.write()
  expect(written).toEqual([
    [
      { of: 'first', at: 3 },
      { of: 'second', at: 2 },
    ],
  ])
})

it('finds a use until it is written', async () => {
  uses.record({ of: 'first', at: 1 })
  expect(uses.find('first')).toEqual({ of: 'first', at: 1 })
  onWrite = () => expect(uses.find('first')).toEqual({ of: 'first', at: 1 })
  await uses.write()
  expect(uses.find('first')).toBeUndefined()
})

it('keeps what could not be written, but for what is newer', async () => {
  uses.record({ of: 'first', at: 1 })
  uses.record({ of: 'second', at: 2 })
  onWrite = () => {
    uses.record({ of: 'second', at: 3 })
    throw new Error('the disk is full')
  }
  await expect(uses.write()).rejects.toThrow('the disk is full')
  onWrite = () => {}
  await uses.write()
  expect(written).toEqual([
    [
      { of: 'first', at: 1 },
      { of: 'second', at: 3 },
    ],
  ])
})

it('writes what is recorded during a write after it', async () => {
  uses.record({ of: 'first', at: 1 })
  onWrite = () => {
    onWrite = () => {}
    uses.record({ of: 'first', at: 2 })
  }
  await Promise.all([uses.write(), uses.write().then(() => uses.write())])
  expect(written).toEqual([[{ of: 'first', at: 1 }], [{ of: 'first', at: 2 }]])
})
