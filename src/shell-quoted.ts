/** A word of a command that is printed to be pasted into a POSIX shell (IEEE Std 1003.1, Shell Command Language, 2.2.2). */
export function shellQuoted(word: string): string {
  return /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
