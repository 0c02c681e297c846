/**
 * What a function gives that calls the library in this thread, at once, or in libuv's pool. Whoever awaits it serves both; on the way of
 * every call it is passed on by the functions below, so that a call which is done at once makes no promise at all.
 */
export type Awaitable<T> = T | Promise<T>

/** Goes on with the value, now where it is there. */
export function whenDone<T, R>(value: Awaitable<T>, goOn: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(goOn) : goOn(value)
}

/** Goes on with whatever comes of the attempt, now where it is over. */
export function settle<T, R>(
  attempt: () => Awaitable<T>,
  succeeded: (value: T) => Awaitable<R>,
  failed: (error: unknown) => Awaitable<R>,
): Awaitable<R> {
  let value: Awaitable<T>
  try {
    value = attempt()
  } catch (error) {
    return failed(error)
  }
  return value instanceof Promise ? value.then(succeeded, failed) : succeeded(value)
}

/** The value of the attempt, or what `recover` makes of its failure. */
export function whenFailed<T>(attempt: () => Awaitable<T>, recover: (error: unknown) => Awaitable<T>): Awaitable<T> {
  return settle(attempt, value => value, recover)
}
