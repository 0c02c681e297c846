import { z } from 'zod'
import type { Storage } from '../../services.ts'
import { written } from './identities.ts'
import { type IdentityKind, members } from './identity-schema.ts'
import { type Kind, kindNames, kinds, nameOf } from './kinds.ts'
import { operation } from './operation.ts'

/** All identities, as a file that would make them. Secrets are not in it. */
export const exportIdentities = operation({
  name: 'ExportIdentities',
  readOnly: true,
  schema: z.strictObject({}),
  recorded: [],
  async run({ storage }) {
    const accounts = [...storage.accounts.all()].sort((a, b) => (a.id < b.id ? -1 : 1))
    return {
      file: { accounts: Object.fromEntries(accounts.map(({ id, name }) => [id, writtenAccount(id, name, storage)])) },
    }
  },
})

function writtenAccount(id: string, name: string | undefined, storage: Storage): object {
  const sections = kindNames.flatMap(kind => {
    const entries = writtenEntries(kind, id, storage)
    return entries.length > 0 ? [[members[kind], Object.fromEntries(entries)] as const] : []
  })
  return { ...(name !== undefined && { name }), ...Object.fromEntries(sections) }
}

function writtenEntries<K extends IdentityKind>(kind: K, account: string, storage: Storage) {
  const { all, entry }: Kind<K> = kinds[kind]
  return all(account, storage)
    .map(record => [nameOf(record), written(entry(record, storage))] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
}
