import { Failure } from '../../errors.ts'

/** A name of a key in the same account and region. */
export interface Alias {
  readonly arn: string
  /** With its `alias/` prefix. */
  readonly name: string
  readonly account: string
  readonly region: string
  readonly targetKeyArn: string
  readonly creationDate: number
  readonly lastUpdatedDate: number
  readonly revision: number
}

/**
 * Throws for a name that is reserved or has characters that are not allowed. The pattern of the model, checked before, allows more than the
 * documentation: KMS API Reference, "CreateAlias".
 */
export function checkAliasName(name: string): void {
  if (!name.startsWith('alias/')) {
    const page = 'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
    throw new Failure('Validation', `Alias must start with the prefix "alias/". Please see ${page}`)
  }
  if (name.startsWith('alias/aws/')) throw new Failure('NotAuthorized')
  if (name === 'alias/') throw new Failure('InvalidAliasName')
  if (name.includes(':')) {
    throw new Failure('Validation', `${name} contains invalid characters for an alias`)
  }
}
