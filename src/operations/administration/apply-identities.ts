import { hash } from 'node:crypto'
import { z } from 'zod'
import { Failure } from '../../errors.ts'
import type { Storage } from '../../services.ts'
import { fileSchema, type IdentityFile, members } from './identity-schema.ts'
import { kindNames, kinds, nameOf } from './kinds.ts'
import { operation } from './operation.ts'
import { IdentityPlan } from './plan.ts'

/** Makes the identities what a file says, in one transaction. */
export const applyIdentities = operation({
  name: 'ApplyIdentities',
  schema: z.strictObject({
    file: fileSchema,
    prune: z.boolean().default(false),
    dryRun: z.boolean().default(false),
    /** Of a dry run: refused unless the steps are still the same. */
    digest: z.string().optional(),
  }),
  recorded: ['prune', 'dryRun'],
  recordedOutput: ['steps'],
  async run({ input: { file, prune, dryRun, digest }, storage, clock, changes }) {
    const plan = new IdentityPlan(storage, clock())
    for (const [account, { name }] of Object.entries(file.accounts)) plan.putAccount(account, name, 'file')
    for (const kind of kindNames) {
      for (const [account, written] of Object.entries(file.accounts)) {
        for (const [name, entry] of Object.entries(written[members[kind]] ?? {}))
          plan.put(kind, account, name, entry, 'file')
      }
    }
    removeOthers(plan, file, prune, storage)
    plan.check()
    const now = hash('sha256', JSON.stringify(plan.steps), 'hex')
    if (digest !== undefined && digest !== now) {
      throw new Failure(
        'Conflict',
        'identities have changed since the changes were shown: nothing was applied, try again',
      )
    }
    if (!dryRun) plan.commitTo(changes)
    return { steps: plan.steps, digest: now }
  },
})

/** Removes what an earlier file had, and this one has not; with `prune` what no file had, too, in the accounts of this one. */
function removeOthers(plan: IdentityPlan, { accounts }: IdentityFile, prune: boolean, storage: Storage): void {
  for (const { id } of storage.accounts.all()) {
    const written = accounts[id]
    for (const kind of kindNames) {
      for (const record of kinds[kind].all(id, storage)) {
        const name = nameOf(record)
        const isOurs = record.owner === 'file' || (prune && written !== undefined)
        if (isOurs && !Object.hasOwn(written?.[members[kind]] ?? {}, name)) {
          plan.remove(kind, id, name, { withAccessKeys: true })
        }
      }
    }
  }
}
