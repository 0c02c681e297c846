import { readdirSync, readFileSync } from 'node:fs'

/** Processes that this one has started. */
export function children(): readonly number[] {
  const tasks = `/proc/${process.pid}/task`
  const lists = readdirSync(tasks).map(task => readFileSync(`${tasks}/${task}/children`, 'utf8'))
  return lists.flatMap(list => list.split(' ').filter(Boolean).map(Number))
}
