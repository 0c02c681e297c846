import { policyOf, withIdentities } from '../../test/end-to-end/identities.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

const account = '000000000000'
const policies = [policyOf({ Effect: 'Allow', Action: 'kms:*', Resource: '*' })]
const tags = [{ TagKey: 'team', TagValue: 'storage' }]

/** The rate of Encrypt with the temporary credentials of a role that has a session policy and a tag, against that with an access key: in turns. */
export async function encryptInASession(): Promise<Figure> {
  const folder = new DataFolder()
  const session = await withIdentities({ folder: folder.path }, async identities => {
    const role = await identities.role(account, 'bench', { policies })
    return identities.session(role, 'bench', { policies, tags })
  })
  const gateway = await folder.serve()
  const scripts = [
    await encryptScript(folder, gateway, 'access-key'),
    await encryptScript(folder, gateway, 'session', session.credentials),
  ]
  const rates: number[][] = [[], []]
  // Until the machine code has settled.
  for (const script of scripts) await load(gateway.url, script, 10)
  for (let round = 0; round < 9; round++)
    for (const [index, script] of scripts.entries())
      rates[index]!.push((await load(gateway.url, script, 3)).requestsPerSecond)
  await gateway.stop()
  folder.remove()
  const [accessKey, temporary] = rates.map(median) as [number, number]
  return {
    name: 'Encrypt with temporary credentials / access key',
    value: temporary / accessKey,
    unit: '',
    reach: { atLeast: 0.95 },
    details: `${Math.round(temporary)}/s against ${Math.round(accessKey)}/s`,
  }
}
