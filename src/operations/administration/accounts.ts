import { Failure } from '../../errors.ts'
import type { User } from '../../model/identities/principal.ts'
import type { Storage } from '../../services.ts'
import type { Target, TargetKind } from '../operation.ts'
import { targetOf } from './operation.ts'

/** An account may be left out if there is only one. */
export interface OfAccount {
  /** 12 digits. */
  readonly account?: string | undefined
}

/** Throws NotFound, or Validation if the account is left out and there are several. */
export function accountOf({ account }: OfAccount, { accounts }: Pick<Storage, 'accounts'>): string {
  if (account !== undefined) {
    if (accounts.find(account)) return account
    throw new Failure('NotFound', `there is no account ${account}`)
  }
  const [only, ...others] = accounts.all()
  if (only && others.length === 0) return only.id
  throw new Failure('Validation', only ? 'there are several accounts: name one' : 'there is no account yet')
}

export interface OfUser extends OfAccount {
  readonly user: string
}

export interface UserTarget extends Target {
  readonly user: User
}

/** A user, by its name. Throws NotFound. */
export const userTarget: TargetKind<OfUser, UserTarget> = {
  find(input, { storage }) {
    const user = userOf(input, storage)
    return { ...targetOf(user.arn), user }
  },
}

/** Throws NotFound. */
export function userOf(input: OfUser, storage: Storage): User {
  const account = accountOf(input, storage)
  const user = storage.principals.named(account, 'user', input.user)
  if (user?.type !== 'user') throw new Failure('NotFound', `account ${account} has no user ${input.user}`)
  return user
}
