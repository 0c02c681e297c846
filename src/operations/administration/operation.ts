/** Operations of the administration API: they change what IAM holds on AWS. Their caller is the operator, whom no policy restricts. */
import { z } from 'zod'
import type { Operation, Target, TargetKind } from '../operation.ts'

export interface AdministrationOperation<I, O, T extends Target = Target> extends Operation<I, O, T> {
  /** Of the input, a JSON object. */
  readonly schema: z.ZodType<I>
}

type Declaration<I, O, T extends Target> = Omit<AdministrationOperation<I, O, T>, 'target' | 'readOnly'> & {
  /** Default: false. */
  readonly readOnly?: boolean
  /** Default: no resource. */
  readonly target?: TargetKind<NoInfer<I>, T>
}

export function operation<I extends object, O extends object, T extends Target = Target>(
  declared: Declaration<I, O, T>,
): AdministrationOperation<I, O, T> {
  return { readOnly: false, target: anything as unknown as TargetKind<I, T>, ...declared }
}

/** What is not about one resource. */
const anything: TargetKind<unknown, Target> = { find: () => targetOf() }

/** Operators need no permission. @param resources ARNs for the audit record */
export function targetOf(...resources: readonly string[]): Target {
  return { permissions: [], resources, check() {} }
}

export const accountId = z.string().regex(/^\d{12}$/, 'an account ID has 12 digits')
