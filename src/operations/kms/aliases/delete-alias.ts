import { alias } from '../alias-targets.ts'
import { operation } from '../operation.ts'

export const deleteAlias = operation('DeleteAlias')({
  readOnly: false,
  target: alias,
  recorded: ['AliasName'],
  async run({ target, changes }) {
    changes.remove('aliases', target.alias)
  },
})
