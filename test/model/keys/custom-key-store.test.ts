import { describe, expect, it } from 'vitest'
import { type ConnectionState, nextState, type StoreEvent } from '../../../src/model/keys/custom-key-store.ts'

const events = [
  'connect',
  'disconnect',
  'update',
  'adjust',
  'delete',
  'use',
  'connected',
  'connectionFailed',
  'disconnected',
] as const satisfies readonly StoreEvent[]

describe('a custom key store', () => {
  // KMS Developer Guide, "Connect and disconnect a custom key store"; KMS API Reference, CustomKeyStoreInvalidStateException.
  // biome-ignore format: a table
  it.each<[ConnectionState, ...string[]]>([
    //                connect       disconnect       update          adjust          delete     use          connected    connectionFailed disconnected
    ['DISCONNECTED',  'CONNECTING', '-',             'DISCONNECTED', 'DISCONNECTED', 'DELETED', '-',         '-',         '-',             '-'],
    ['CONNECTING',    'CONNECTING', 'DISCONNECTING', '-',            '-',            '-',       '-',         'CONNECTED', 'FAILED',        '-'],
    ['CONNECTED',     'CONNECTED',  'DISCONNECTING', '-',            'CONNECTED',    '-',       'CONNECTED', 'CONNECTED', 'FAILED',        '-'],
    ['FAILED',        '-',          'DISCONNECTING', '-',            '-',            '-',       '-',         '-',         '-',             '-'],
    ['DISCONNECTING', '-',          '-',             '-',            '-',            '-',       '-',         '-',         '-',             'DISCONNECTED'],
  ])('that is %s', (state, ...expected) => {
    expect(events.map(event => nextState(state, event) ?? '-')).toEqual(expected)
  })
})
