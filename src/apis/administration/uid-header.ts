/** Names the user ID of a client of the administration API. In a file of its own: commands need nothing else of an API. */
export const uidHeader = 'x-strongroom-uid'
