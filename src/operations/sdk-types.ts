/** Types of the operations of an API, from those of its AWS SDK client. */

/** @typeParam S the module of the client */
type Commands<S> = {
  [C in keyof S as C extends `${infer Name}Command` ? Name : never]: S[C]
}

/** Wire name of an operation. */
export type OperationNameIn<S> = keyof Commands<S> & string

type Instance<S, N extends OperationNameIn<S>> = Commands<S>[N] extends new (...args: never[]) => infer I ? I : never
type SdkInput<S, N extends OperationNameIn<S>> = Instance<S, N> extends { readonly input: infer I } ? I : never

/** Input of an operation after validation: required members are present. */
export type InputIn<S, N extends OperationNameIn<S>> = {
  [M in keyof SdkInput<S, N>]: object extends Pick<SdkInput<S, N>, M>
    ? SdkInput<S, N>[M]
    : Exclude<SdkInput<S, N>[M], undefined>
}

type SdkOutput<S, N extends OperationNameIn<S>> = Commands<S>[N] extends new (
  ...args: never[]
) => { resolveMiddleware(...args: never[]): infer H }
  ? H extends (...args: never[]) => Promise<{ output: infer O }>
    ? O
    : never
  : never

/** Output of an operation; undefined for operations without an output body. */
export type OutputIn<S, N extends OperationNameIn<S>> = Omit<SdkOutput<S, N>, '$metadata'>
