/** A process that uses an HSM as the gateway does, says what it knows about itself, and waits to be killed. */
import { readFileSync } from 'node:fs'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { logTo } from '../log-to.ts'

const options = JSON.parse(process.argv[2]!) as HsmOptions
const workers: unknown[] = []
const hsm = await connectHsm({ ...options, log: logTo(({ worker }) => workers.push(worker)) })
const object = 'ab'.repeat(32)
await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'used by a gateway')
await hsm.encrypt(object, Buffer.from('text'), Buffer.alloc(0))
const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number)
process.stdout.write(`${JSON.stringify({ workers, children, maps: readFileSync('/proc/self/maps', 'utf8') })}\n`)
