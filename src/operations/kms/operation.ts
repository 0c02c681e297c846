/** Operations of the AWS KMS API: typed by the SDK, with what they have in common. */
import type * as Sdk from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import type { Services } from '../../services.ts'
import { unsealGrantToken } from '../../vault/grant-tokens.ts'
import type { Operation, Target, TargetKind } from '../operation.ts'
import type { InputIn, OperationNameIn, OutputIn } from '../sdk-types.ts'

/** Wire name of a KMS operation. */
export type OperationName = OperationNameIn<typeof Sdk>

/** Members of the model that the types of the SDK lack. */
interface NewInput {
  readonly ListKeys: { readonly ResourceOwners?: readonly ('SELF' | 'OTHER_ACCOUNTS_VIA_RAM')[] | undefined }
}

export type Input<N extends OperationName> = InputIn<typeof Sdk, N> & (N extends keyof NewInput ? NewInput[N] : unknown)

export type Output<N extends OperationName> = OutputIn<typeof Sdk, N>

export interface KmsOperation<N extends OperationName, T extends Target> extends Operation<Input<N>, Output<N>, T> {
  readonly name: N
}

/** What differs between operations; the rest is the same for all. */
type Declaration<N extends OperationName, T extends Target> = Omit<
  KmsOperation<N, T>,
  'name' | 'validate' | 'isDryRun' | 'recordedResource'
>

/** Declares an operation. In two steps, so that the name determines the types of input and output of the rest. */
export function operation<N extends OperationName>(name: N) {
  return <T extends Target>(declared: Declaration<N, T>): KmsOperation<N, T> => ({
    ...declared,
    name,
    validate: ({ GrantTokens }: { readonly GrantTokens?: readonly string[] | undefined }, services) =>
      GrantTokens && validateGrantTokens(GrantTokens, services),
    isDryRun: ({ DryRun }: { readonly DryRun?: boolean | undefined }) => DryRun === true,
    // Since 2022 every event of a change names its key, even if the API returns nothing.
    recordedResource: 'keyId',
    target: refusingRecipients(declared.target),
  })
}

/**
 * Grant tokens must be valid, and make no other difference: a grant is in effect as soon as it exists, and only for its grantee. One of
 * another key, of another principal or of a grant that is gone does not apply. The first that is not valid ends it, so that forged ones
 * cost one call to an HSM.
 */
async function validateGrantTokens(
  tokens: readonly string[],
  services: Pick<Services, 'storage' | 'hsms'>,
): Promise<void> {
  for (const token of tokens) await unsealGrantToken(token, services)
}

/** An attested recipient must get a ciphertext: refuse rather than return the plaintext. */
function refusingRecipients<I, T extends Target>({ find }: TargetKind<I, T>): TargetKind<I, T> {
  return {
    find(input, search) {
      if ((input as { readonly Recipient?: object }).Recipient === undefined) return find(input, search)
      throw new Failure('UnsupportedOperation', 'The Recipient parameter is not supported by this gateway.')
    },
  }
}
