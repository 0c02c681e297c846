import { Argument } from 'commander'

/** `/` stands for the empty prefix; slashes at the ends are those of its URI path. */
export function prefixArgument(): Argument {
  return new Argument('<prefix>', 'prefix, such as tenant-a; / for the empty one').argParser((text: string) =>
    text.replace(/^\/|\/$/g, ''),
  )
}

export function shownName(prefix: string): string {
  return prefix || '/'
}
