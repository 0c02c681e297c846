/** Operations of the administration API: they change what IAM holds on AWS. Their caller is the operator, whom no policy restricts. */
import { z } from 'zod'
import type { Operation, Target } from '../operation.ts'

export interface AdministrationOperation<I, O> extends Operation<I, O, Target> {
  /** Of the input, a JSON object. */
  readonly schema: z.ZodType<I>
}

type Declaration<I, O> = Omit<AdministrationOperation<I, O>, 'target' | 'readOnly'> & {
  readonly readOnly?: boolean
  /** ARNs for the audit record. */
  resources?(input: I): readonly string[]
}

/** Declares an operation that changes storage unless it is readOnly. */
export function operation<I extends object, O extends object>({
  resources = () => [],
  ...declared
}: Declaration<I, O>): AdministrationOperation<I, O> {
  return {
    readOnly: false,
    ...declared,
    target: { find: input => ({ permissions: [], resources: resources(input), check() {} }) },
  }
}

export const accountId = z.string().regex(/^\d{12}$/, 'an account ID has 12 digits')
