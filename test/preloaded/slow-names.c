/*
 * A name server that does not answer: getaddrinfo takes as many milliseconds as the file that PRELOADED names says, and fails. Preloaded.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)node, (void)service, (void)hints, (void)result;
    const char *control = getenv("PRELOADED");
    FILE *file = control == NULL ? NULL : fopen(control, "r");
    long milliseconds = 0;
    if (file == NULL || fscanf(file, "%ld", &milliseconds) != 1)
        milliseconds = 0;
    if (file != NULL)
        fclose(file);
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
    return EAI_AGAIN;
}
