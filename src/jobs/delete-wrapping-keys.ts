import { Changes } from '../storage/storage.ts'
import { markForDestruction } from '../vault/destruction.ts'
import { isOutdated } from '../vault/wrapping-keys.ts'
import { job } from './job.ts'

/** Removes wrapping keys whose last import token has expired; their objects are marked for destruction. */
export const deleteWrappingKeys = job({
  name: 'delete-wrapping-keys',
  interval: 10 * 60_000,
  start:
    ({ storage, steadyClock, audit, outbox }) =>
    async () => {
      if (storage.wrappingKeys.all().length === 0) return
      const now = await steadyClock.now()
      if (now === undefined) return
      const outdated = storage.wrappingKeys.all().filter(wrappingKey => isOutdated(wrappingKey, now))
      for (const wrappingKey of outdated) {
        const { object, keyArn } = wrappingKey
        const changes = new Changes()
        changes.remove('wrappingKeys', wrappingKey)
        markForDestruction(changes, [object], { arn: keyArn }, storage)
        await outbox.record(changes, audit.event('DeleteWrappingKey', keyArn, { hsm: object.hsm, objectId: object.id }))
      }
    },
})
