/** Operations of the AWS CloudTrail API, typed by the SDK. */
import type * as Sdk from '@aws-sdk/client-cloudtrail'
import type { Operation, Target } from '../operation.ts'
import type { InputIn, OperationNameIn, OutputIn } from '../sdk-types.ts'

/** Wire name of a CloudTrail operation. */
export type OperationName = OperationNameIn<typeof Sdk>

export type Input<N extends OperationName> = InputIn<typeof Sdk, N>

export type Output<N extends OperationName> = OutputIn<typeof Sdk, N>

type CloudTrailOperation<N extends OperationName> = Operation<Input<N>, Output<N>, Target> & { readonly name: N }

/**
 * Declares an operation. In two steps, so that the name determines the types of input and output of the rest. All are read-only, and on no
 * resource.
 */
export function operation<N extends OperationName>(name: N) {
  return (declared: Pick<CloudTrailOperation<N>, 'recorded' | 'run'>): CloudTrailOperation<N> => ({
    ...declared,
    name,
    readOnly: true,
    target: {
      find: (_, { caller, operation }) => ({
        permissions: [{ action: operation, resource: '*', account: caller.account }],
        resources: [],
        check() {},
      }),
    },
  })
}
