import { extname } from 'node:path'
import { RemoteObject } from '../../remote-objects.ts'
import { startThread } from '../../threads.ts'
import type { Index, IndexOptions } from './index-file.ts'

/** It holds a few chunks and the records of a page. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 }

/** An index in a thread of its own: its library blocks on the disk, and searching takes processor time. */
export class ThreadedIndex extends RemoteObject<Index> implements Index {
  constructor(options: IndexOptions) {
    super(startThread(new URL(`./index-thread${extname(import.meta.url)}`, import.meta.url), options, resourceLimits))
  }

  readonly catchUp = this.call('catchUp')
  readonly add = this.call('add')
  readonly find = this.call('find')
  readonly calls = this.call('calls')
  readonly firstDay = this.call('firstDay')
  readonly deletedKeys = this.call('deletedKeys')
  readonly endOf = this.call('endOf')
}
