import { operation } from '../operation.ts'
import { promotion } from '../replication-targets.ts'

/** Done when it is answered, in one commit: neither key is ever `Updating`. On record in both regions. */
export const updatePrimaryRegion = operation('UpdatePrimaryRegion')({
  readOnly: false,
  target: promotion,
  conditionKeys: { 'kms:PrimaryRegion': ({ input }) => input.PrimaryRegion },
  recorded: ['KeyId', 'PrimaryRegion'],
  async run({ target: { key: primary, replica }, changes }) {
    changes.put('keys', { ...primary, multiRegion: 'REPLICA' })
    changes.put('keys', { ...replica, multiRegion: 'PRIMARY' })
    changes.events.push({
      name: 'UpdatePrimaryRegion',
      resource: replica.arn,
      members: call => ({ ...call, responseElements: { keyId: replica.arn } }),
    })
  },
})
