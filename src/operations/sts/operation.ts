/** Operations of the AWS STS API: typed by the SDK, with what they have in common. */
import type * as Sdk from '@aws-sdk/client-sts'
import { Failure } from '../../errors.ts'
import type { Caller } from '../../model/identities/caller.ts'
import type { Operation, Target, TargetKind } from '../operation.ts'
import type { InputIn, OperationNameIn, OutputIn } from '../sdk-types.ts'

/** Wire name of an STS operation. */
export type OperationName = OperationNameIn<typeof Sdk>

export type Input<N extends OperationName> = InputIn<typeof Sdk, N>

export type Output<N extends OperationName> = OutputIn<typeof Sdk, N>

export interface StsOperation<N extends OperationName, T extends Target> extends Operation<Input<N>, Output<N>, T> {
  readonly name: N
}

interface Declaration<N extends OperationName, T extends Target>
  extends Omit<StsOperation<N, T>, 'name' | 'readOnly' | 'isDryRun' | 'validate' | 'recordedResource'> {
  /** Whose credentials are not for it: IAM User Guide, "Compare AWS STS credentials". Default: nobody's. */
  readonly refuses?: (caller: Caller) => boolean
}

/**
 * Declares an operation. In two steps, so that the name determines the types of input and output of the rest. All are read-only, as in
 * CloudTrail: sessions are stored nowhere.
 */
export function operation<N extends OperationName>(name: N) {
  return <T extends Target>({ refuses = () => false, ...declared }: Declaration<N, T>): StsOperation<N, T> => ({
    ...declared,
    name,
    readOnly: true,
    target: {
      find(input, search) {
        const { caller } = search
        if (refuses(caller)) throw new Failure('AccessDenied', `Cannot call ${name} with session credentials`)
        // A service that has credentials of somebody would no longer call on behalf of them only.
        if (caller.via && name !== 'GetCallerIdentity')
          throw new Failure('AccessDenied', `Cannot call ${name} on behalf of a caller`)
        return declared.target.find(input, search)
      },
    },
  })
}

/** Whether a user calls with credentials of GetSessionToken. */
export function isUserSession(caller: Caller): boolean {
  return caller.type === 'user' && caller.session !== undefined
}

/** Of operations that need no permission: not even a policy that denies them prevents them. */
export const unconditional: TargetKind<unknown, Target> = {
  find: () => ({ permissions: [], resources: [], check() {} }),
}

/** Of operations that act on no resource. */
export const account: TargetKind<unknown, Target> = {
  find: (_, { caller, operation }) => ({
    permissions: [{ action: operation, resource: '*', account: caller.account }],
    resources: [],
    check() {},
  }),
}

/** There are no MFA devices. Throws Validation. */
export function refuseMfa({
  SerialNumber,
  TokenCode,
}: Pick<Input<'GetSessionToken'>, 'SerialNumber' | 'TokenCode'>): void {
  if (SerialNumber === undefined && TokenCode === undefined) return
  throw new Failure('Validation', 'MFA devices are not supported by this gateway: omit SerialNumber and TokenCode.')
}
